/** RPC with a missing server or client, and with invalid requests and replies. */
import { Buffer } from "node:buffer";
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import { expect } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { messagesIn, onChannel, proxyTo, QUORUM } from "./lib/broker.ts";
import { fails, test } from "./lib/lesson-test.ts";

const CLIENT = "06-rpc/client.ts";
const SERVER = "06-rpc/server.ts";

/** Acts as a server: declares the queue and takes a request, without acknowledging it. */
async function takeRequest(channel: ConfirmChannel) {
  await channel.assertQueue("rpc_queue", QUORUM);
  const requests: (ConsumeMessage | null)[] = [];
  await channel.consume("rpc_queue", (request) => void requests.push(request));
  return async () => {
    await expect.poll(() => requests.length).toBe(1);
    const { replyTo, correlationId } = requests[0]?.properties ?? {};
    return (text: string, id: string | undefined = correlationId) =>
      channel.sendToQueue(replyTo, Buffer.from(text), { correlationId: id });
  };
}

test("no server starts: the call ends at its timeout, and its request expires", async ({ run, virtualHost }) => {
  await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
  const why = "no reply within 2 s. Is a server running?";
  const line = `[!] fib(30): ${why} Start one: npx tsx 06-rpc/server.ts`;
  await fails(run(CLIENT, "30", "--timeout", "2"), line);
  await expect.poll(() => messagesIn(virtualHost, "rpc_queue")).toBe(0);
});

test("the server dies with a request: another one replies, and the client notices nothing", async ({ run, virtualHost }) => {
  const client = await onChannel(virtualHost, async (channel) => {
    const request = await takeRequest(channel);
    const program = run(CLIENT, "12");
    await request(); // No reply: the connection closes with the request unacknowledged.
    return program;
  });
  run(SERVER);
  await client.exits(0);
  expect(client.stdout).toEqual(["[x] Requesting fib(12)", "[.] Got 144"]);
  expect(client.stderr).toEqual([]);
});

test("replies with an unknown correlation id, or none, are ignored; a reply that is no number is an error", async ({ run, virtualHost }) => {
  await onChannel(virtualHost, async (channel) => {
    const request = await takeRequest(channel);
    const client = run(CLIENT, "13");
    const reply = await request();
    reply("1", "");
    reply("2", "not-yours");
    reply("\x1b[31mno");
    reply("233");
    await fails(client, /^\[!\] fib\(13\): the server replied '\\x1b\[31mno'$/i);
  });
});

test("two clients never receive each other's replies", async ({ consume, virtualHost }) => {
  await consume(SERVER);
  const ask = (n: number) =>
    onChannel(virtualHost, (channel) => {
      const client = new FibonacciRpcClient(channel);
      return Promise.all(Array.from({ length: 50 }, () => client.call(n)));
    });
  const replies = await Promise.all([ask(10), ask(11)]);
  expect(replies).toEqual([Array(50).fill(55n), Array(50).fill(89n)]);
});

const invalid = ["abc", "-1", "10000", "", "7".repeat(3_000_000), "\ufffd"];
const ERROR = "error: n must be 0-9999";

test("a request that is invalid, or whose client is gone: the server replies with an error, or to nobody, and goes on", async ({ consume, virtualHost }) => {
  const server = await consume(SERVER);
  const replies: string[] = [];
  await onChannel(virtualHost, async (channel) => {
    const { queue: replyTo } = await channel.assertQueue("", { exclusive: true });
    await channel.consume(replyTo, (reply) => {
      replies.push(`${reply?.content}`);
    }, { noAck: true });
    for (const options of [{ replyTo: "amq.gen-nobody-has-this" }, {}, { replyTo }]) {
      for (const text of invalid) {
        channel.sendToQueue("rpc_queue", Buffer.from(text), options);
      }
    }
    await expect.poll(() => replies).toEqual(invalid.map(() => ERROR));
  });
  expect(server.stderr).toEqual([]);
  expect(await server.stop()).toBe(0);
  expect(await messagesIn(virtualHost, "rpc_queue")).toBe(0);
});

test("a reply_to that is too long for a reply: the server says so, and goes on", async ({ run, consume, virtualHost }) => {
  const server = await consume(SERVER);
  // Read as UTF-8, each of these bytes becomes three: the server cannot reply to them.
  const name = "x".repeat(100);
  const proxy = await proxyTo(virtualHost, (bytes) => {
    const at = bytes.indexOf(name);
    return at < 0 ? bytes : bytes.fill(0xff, at, at + name.length);
  });
  await onChannel(proxy, async (channel) => {
    channel.sendToQueue("rpc_queue", Buffer.from("1"), { replyTo: name });
    await channel.waitForConfirms();
  });
  await server.warns(/^\[!\] Cannot reply: .*routingKey/);
  await run(CLIENT, "10").exits(0);
  expect(await server.stop()).toBe(0);
  expect(await messagesIn(virtualHost, "rpc_queue")).toBe(0);
});

test("a call whose reply is an error: one line, and the others print their replies", async ({ run, consume }) => {
  await consume(SERVER);
  const line = `[!] fib(10000): the server replied '${ERROR}'`;
  const printed = await fails(run(CLIENT, "10", "10000", "20"), line);
  expect(printed.slice(3)).toEqual(["[.] Got 55", "[.] Got 6765"]);
});
