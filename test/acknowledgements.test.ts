/** When a message is acknowledged, and what becomes of those that are not. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { expect } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { messagesIn, onChannel, proxyTo, QUORUM } from "./lib/broker.ts";
import { READY } from "./lib/consumers.ts";
import { type LessonFixtures, onEveryRuntime, test } from "./lib/lesson-test.ts";

/** The first bytes of AMQP methods. https://www.rabbitmq.com/amqp-0-9-1-reference */
const PUBLISH = Buffer.from([0, 60, 0, 40]);
const ACK = Buffer.from([0, 60, 0, 80]);

onEveryRuntime("Ctrl-C", (test) => {
  test("acknowledgements that were given before it are sent: none of 50 messages comes again", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, async (channel) => {
      await channel.assertQueue("hello", QUORUM);
      for (let i = 0; i < 50; i++) channel.sendToQueue("hello", Buffer.from("x"));
      await channel.waitForConfirms();
    });
    await run("test/scripts/consumer.ts", "leave after 50 messages").exits(0);
    expect(await messagesIn(virtualHost, "hello")).toBe(0);
  });
});

/** Sends a request. Returns what the server publishes and acknowledges, in its order. */
async function serve(
  { virtualHost, runWith }: Pick<LessonFixtures, "virtualHost" | "runWith">,
  replyQueue: string,
): Promise<string[]> {
  let sent = Buffer.alloc(0);
  const AMQP_URL = await proxyTo(virtualHost, (bytes, from) => {
    if (from === "client") sent = Buffer.concat([sent, bytes]);
    return bytes;
  });
  await runWith({ env: { AMQP_URL } }, "06-rpc/server.ts").prints(READY);
  await onChannel(virtualHost, async (channel) => {
    let replyTo = replyQueue;
    if (replyTo === "") {
      replyTo = (await channel.assertQueue("", { exclusive: true })).queue;
    }
    const replies: unknown[] = [];
    await channel.consume(replyTo, (reply) => void replies.push(reply), {
      noAck: true,
    });
    channel.sendToQueue("rpc_queue", Buffer.from("9"), { replyTo });
    await expect.poll(() => replies.length).toBe(1);
  });
  await expect.poll(() => sent.includes(ACK)).toBe(true);
  return sent.indexOf(PUBLISH) < sent.indexOf(ACK)
    ? ["reply", "ack"]
    : ["ack", "reply"];
}

test("the server acknowledges a request after its reply", async ({ virtualHost, runWith }) => {
  const order = await serve({ virtualHost, runWith }, "");
  expect(order).toEqual(["reply", "ack"]);
});

test("the server acknowledges a request to a direct reply-to address before its reply", async ({ virtualHost, runWith }) => {
  const order = await serve({ virtualHost, runWith }, "amq.rabbitmq.reply-to");
  expect(order).toEqual(["ack", "reply"]);
});

test("a client that cannot declare its callback queue: the call says why", async ({ virtualHost }) => {
  await onChannel(virtualHost, async (channel) => {
    await channel.close();
    const client = new FibonacciRpcClient(channel);
    await expect(client.call(1)).rejects.toThrow("Channel closed");
  });
});

test("an import of shared/connection.ts installs nothing in the process", async () => {
  const listeners = () => [...process.eventNames(), ...process.stdout.eventNames()];
  const before = listeners();
  await import("../shared/connection.ts");
  expect(listeners()).toEqual(before);
});
