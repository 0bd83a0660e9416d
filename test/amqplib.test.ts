/**
 * Behavior of amqplib that it does not document, and on which shared/connection.ts rests: if a
 * channel that the broker closes has no "error" listener, its connection closes with the same
 * error. If a new version of amqplib changes this, these tests fail first.
 */
import { Buffer } from "node:buffer";
import { connect } from "amqplib";
import { expect, onTestFinished } from "vitest";
import { proxyTo } from "./lib/broker.ts";
import { test } from "./lib/lesson-test.ts";

/** Opens a channel, and records the error with which its connection closes. */
async function openChannel(url: string) {
  const connection = await connect(url);
  const closed: unknown[] = [];
  connection.on("error", () => {});
  connection.on("close", (error) => closed.push(error));
  onTestFinished(() => connection.close().catch(() => {})); // It may be closed already.
  return { channel: await connection.createChannel(), closed };
}

const NOT_FOUND = expect.objectContaining({ code: 404 });

test("the broker closes a running channel", async ({ virtualHost }) => {
  const { channel, closed } = await openChannel(virtualHost);
  channel.publish("nowhere", "", Buffer.from("a message"));
  await expect.poll(() => closed).toEqual([NOT_FOUND]);
});

test("the broker closes a channel during the set-up: the connection is closed before the call rejects", async ({ virtualHost }) => {
  const { channel, closed } = await openChannel(virtualHost);
  await expect(channel.checkQueue("nowhere")).rejects.toEqual(NOT_FOUND);
  expect(closed).toEqual([NOT_FOUND]);
});

test("the close arrives in one packet with the last reply of the set-up: it is closed before the call resolves", async ({ virtualHost }) => {
  let held = Buffer.alloc(0);
  const proxy = await proxyTo(virtualHost, (bytes, from) => {
    if (from === "client") return bytes;
    const all = Buffer.concat([held, bytes]);
    const isIncomplete = all.includes("amq.gen-") && !all.includes("NOT_FOUND");
    held = isIncomplete ? all : Buffer.alloc(0);
    return isIncomplete ? Buffer.alloc(0) : all;
  });
  const { channel, closed } = await openChannel(proxy);
  const declared = channel.assertQueue("", { exclusive: true });
  channel.publish("nowhere", "", Buffer.from("a message"));
  await declared;
  expect(closed).toEqual([NOT_FOUND]);
});

test("a callback that throws: the connection closes with its error, and with the code 541", async ({ virtualHost }) => {
  const { channel, closed } = await openChannel(virtualHost);
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.consume(queue, () => {
    throw new RangeError("a bug");
  });
  channel.sendToQueue(queue, Buffer.from("a message"));
  await expect.poll(() => closed).toEqual([
    expect.objectContaining({ message: "a bug", code: 541 }),
  ]);
});
