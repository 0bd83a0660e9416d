/** RPC with a missing server or client, and with invalid requests and replies. */
import { Buffer } from "node:buffer";
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import { expect } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { messagesIn, onChannel, proxyTo, QUORUM } from "./lib/broker.ts";
import { fails, test } from "./lib/lesson-test.ts";

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
  await fails(run("06-rpc/client.ts", "30", "--timeout", "2"), line);
  await expect.poll(() => messagesIn(virtualHost, "rpc_queue")).toBe(0);
});

test("the server dies with a request: another one replies, and the client notices nothing", async ({ run, virtualHost }) => {
  const client = await onChannel(virtualHost, async (channel) => {
    const request = await takeRequest(channel);
    const program = run("06-rpc/client.ts", "12");
    await request(); // No reply: the connection closes with the request unacknowledged.
    return program;
  });
  run("06-rpc/server.ts");
  await client.exits(0);
  expect(client.stdout).toEqual(["[x] Requesting fib(12)", "[.] Got 144"]);
  expect(client.stderr).toEqual([]);
});

test("replies with an unknown correlation id, or none, are ignored; one that is no number is an error", async ({ run, virtualHost }) => {
  await onChannel(virtualHost, async (channel) => {
    const request = await takeRequest(channel);
    const client = run("06-rpc/client.ts", "13");
    const reply = await request();
    reply("1", "");
    reply("2", "not-yours");
    reply("\x1b[31mno");
    reply("233");
    await fails(client, /^\[!\] fib\(13\): the server replied '\\x1b\[31mno'$/i);
  });
});

test("two clients never receive each other's replies", async ({ consume, virtualHost }) => {
  await consume("06-rpc/server.ts");
  const ask = (n: number) =>
    onChannel(virtualHost, (channel) => {
      const client = new FibonacciRpcClient(channel);
      return Promise.all(Array.from({ length: 50 }, () => client.call(n)));
    });
  const replies = await Promise.all([ask(10), ask(11)]);
  expect(replies).toEqual([Array(50).fill(55n), Array(50).fill(89n)]);
});

test("the client is gone, or the request is invalid: the server goes on with the next", async ({ run, consume, virtualHost }) => {
  const invalid = ["abc", "-1", "10000", "", "7".repeat(3_000_000), "\ufffd"];
  const server = await consume("06-rpc/server.ts");
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
    const errors = invalid.map(() => "error: n must be 0-9999");
    await expect.poll(() => replies).toEqual(errors);
  });
  expect(server.stderr).toEqual([]);

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
  const line = "[!] fib(10000): the server replied 'error: n must be 0-9999'";
  const printed = await fails(run("06-rpc/client.ts", "10", "10000", "20"), line);
  expect(printed.slice(3)).toEqual(["[.] Got 55", "[.] Got 6765"]);
  expect(await server.stop()).toBe(0);
  expect(await messagesIn(virtualHost, "rpc_queue")).toBe(0);
});
