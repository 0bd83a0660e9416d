/** RPC with a missing server, client or callback queue, and with invalid requests and replies. */
import { Buffer } from "node:buffer";
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import { expect } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { callManagement } from "../scripts/lib/broker-to-use.ts";
import {
  AWAITING_REQUESTS,
  messagesIn,
  onChannel,
  QUORUM,
  test,
  withOwnNode,
} from "./lib/lesson-test.ts";
import { proxyTo } from "./lib/proxy.ts";

/** Acts as a server: declares the queue and takes a request, without acknowledging it. */
async function takeRequest(channel: ConfirmChannel) {
  await channel.assertQueue("rpc_queue", QUORUM);
  const requests: ConsumeMessage[] = [];
  await channel.consume(
    "rpc_queue",
    (request) => void (request && requests.push(request)),
  );
  return async () => {
    await expect.poll(() => requests.length).toBe(1);
    const { replyTo, correlationId } = requests[0]?.properties ?? {};
    return (text: string, id: string | undefined = correlationId) =>
      channel.sendToQueue(replyTo, Buffer.from(text), { correlationId: id });
  };
}

test("no server starts: the call ends at its timeout, and its request expires", async ({ run, virtualHost }) => {
  await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
  const client = run("06-rpc/client.ts", "30", "--timeout", "1.5");
  await client.exits(1);
  expect(client.stderr).toEqual([
    "[!] fib(30): no reply within 1.5 s. Is a server running? Start one: npx tsx 06-rpc/server.ts",
  ]);
  await expect.poll(() => messagesIn(virtualHost, "rpc_queue")).toBe(0);
});

test("the server dies with a request: another one replies, and the client notices nothing", async ({ run, virtualHost }) => {
  const client = await onChannel(virtualHost, async (channel) => {
    const request = await takeRequest(channel);
    const program = run("06-rpc/client.ts", "12");
    await request(); // No reply: the connection closes with the request unacknowledged.
    return { program };
  });
  run("06-rpc/server.ts");
  await client.program.exits(0);
  expect(client.program.stdout).toEqual(["[x] Requesting fib(12)", "[.] Got 144"]);
  expect(client.program.stderr).toEqual([]);
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
    await client.exits(1);
    const line = /^\[!\] fib\(13\): the server replied '\\x1b\[31mno'$/i;
    expect(client.stderr).toEqual([expect.stringMatching(line)]);
  });
});

test("two clients never receive each other's replies", async ({ run, virtualHost }) => {
  await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
  const ask = (n: number) =>
    onChannel(virtualHost, (channel) => {
      const client = new FibonacciRpcClient(channel);
      return Promise.all(Array.from({ length: 50 }, () => client.call(n)));
    });
  const replies = await Promise.all([ask(10), ask(11)]);
  expect(replies).toEqual([Array(50).fill(55n), Array(50).fill(89n)]);
});

test("the client is gone, or the request is invalid: the server goes on with the next", async ({ run, virtualHost }) => {
  const invalid = ["abc", "-1", "100000", "", "7".repeat(3_000_000), "\ufffd"];
  const server = run("06-rpc/server.ts");
  await server.prints(AWAITING_REQUESTS);
  const replies: string[] = [];
  await onChannel(virtualHost, async (channel) => {
    const { queue: replyTo } = await channel.assertQueue("", { exclusive: true });
    await channel.consume(replyTo, (reply) => void replies.push(`${reply?.content}`), {
      noAck: true,
    });
    const gone = { replyTo: "amq.gen-nobody-has-this" };
    for (const options of [gone, {}, { replyTo }]) {
      for (const text of invalid) {
        channel.sendToQueue("rpc_queue", Buffer.from(text), options);
      }
    }
    const errors = invalid.map(() => "error: n must be 0-99999");
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
  const client = run("06-rpc/client.ts", "10", "100000", "20");
  await client.exits(1);
  expect(client.stdout.slice(3)).toEqual(["[.] Got 55", "[.] Got 6765"]);
  expect(client.stderr).toEqual([
    "[!] fib(100000): the server replied 'error: n must be 0-99999'",
  ]);
  expect(await server.stop()).toBe(0);
  expect(await messagesIn(virtualHost, "rpc_queue")).toBe(0);
});

withOwnNode("RPC on a private node", {}, (test, node) => {
  test("the callback queue is deleted: one line", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    const client = run("06-rpc/client.ts", "7", "--timeout", "60");
    await client.prints("[x] Requesting fib(7)");
    const vhost = new URL(virtualHost).pathname.slice(1);
    let queue = "";
    await expect.poll(async () => {
      const all = await callManagement(node(), "GET", `queues/${vhost}?columns=name`);
      [queue = ""] = JSON.stringify(all).match(/amq\.gen[\w-]+/) ?? [];
      return queue;
    }, { timeout: 10_000 }).not.toBe("");
    await node().control("delete_queue", "--vhost", vhost, queue);
    await client.exits(1);
    const line = /^\[!\] Lost amqp:.*: the callback queue was deleted\. Run it again\./;
    expect(client.stderr).toEqual([expect.stringMatching(line)]);
  });
});
