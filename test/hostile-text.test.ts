/** Messages with hostile content are printed escaped, and the consumer continues. */
import { Buffer } from "node:buffer";
import { expect } from "vitest";
import {
  messagesOn,
  onChannel,
  onEveryRuntime,
  WAITING_FOR_MESSAGES,
  waitingForLogsOf,
} from "./lib/lesson-test.ts";

const bodies: [what: string, body: Buffer, shown: RegExp][] = [
  [
    "escape sequences",
    Buffer.from("\x1b]0;owned\x07\x1b[2J\u009b31m"),
    /^'\\x1b\]0;owned\\x07\\x1b\[2J\\x9b31m'$/i,
  ],
  [
    "line breaks",
    Buffer.from("one\r\n[x] Sent 'two'\n".repeat(10)),
    /^"one\\r\\n\[x\] Sent 'two'\\n.*"$/,
  ],
  [
    "bytes that are not valid UTF-8",
    Buffer.from([0xff, 0xfe, 0x41, 0xc3]),
    /^'\ufffd\ufffdA\ufffd'$/,
  ],
  ["an empty message", Buffer.alloc(0), /^''$/],
  ["8 MB", Buffer.alloc(8_000_000, "x"), /^'x{10000}'\.\.\. 7990000 more characters$/],
  ["an emoji", Buffer.from("🐇"), /^'🐇'$/],
];

onEveryRuntime("hostile text", (test) => {
  test("in a queue", async ({ run, virtualHost }) => {
    for (
      const [script, queue] of [["01-hello/receive.ts", "hello"], [
        "02-work-queues/worker.ts",
        "task_queue",
      ]] as const
    ) {
      const consumer = run(script);
      await consumer.prints(WAITING_FOR_MESSAGES);
      await onChannel(virtualHost, async (channel) => {
        for (const [, body] of bodies) channel.sendToQueue(queue, body);
        await channel.waitForConfirms();
      });
      await consumer.prints(/^\[x\] Received /, bodies.length);
      if (queue === "task_queue") await consumer.prints("[x] Done", bodies.length);
      const shown = consumer.stdout.filter((line) => line !== "[x] Done").slice(1);
      for (const [i, [what, , expected]] of bodies.entries()) {
        expect(shown[i]?.replace("[x] Received ", ""), what).toMatch(expected);
      }
      expect(await consumer.stop()).toBe(0);
      expect(consumer.stderr).toEqual([]);
    }
    expect(await messagesOn(virtualHost, "hello")).toBe(0);
  });

  test("through an exchange, and in the routing key", async ({ run, virtualHost }) => {
    const key = "\x1b[31m.red\n";
    const logs = run("05-topics/receive-logs.ts", "#");
    await logs.prints(waitingForLogsOf("#"));
    await onChannel(virtualHost, async (channel) => {
      for (const [, body] of bodies) channel.publish("topic_logs", key, body);
      await channel.waitForConfirms();
    });
    await logs.prints(/^\[x\] /, bodies.length);
    for (const [i, [what, , expected]] of bodies.entries()) {
      const [, shownKey, text] = /^\[x\] (\S+): (.*)$/.exec(logs.stdout[i + 1] ?? "") ??
        [];
      expect(shownKey).toMatch(/^\\x1b\[31m\.red\\n$/i);
      expect(text, what).toMatch(expected);
    }
  });
});
