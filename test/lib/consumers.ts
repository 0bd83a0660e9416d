/** Every consumer, for tests of what all of them do. */
import { Buffer } from "node:buffer";
import type { Program } from "../../scripts/lib/program.ts";
import { onChannel } from "./lesson-test.ts";

/** A consumer: its command line, where to publish, the message, and the line it then prints. */
type Consumer = [
  words: [string, ...string[]],
  to: [string, string],
  text: string,
  line: string,
];

export const consumers: Consumer[] = [
  [["01-hello/receive.ts"], ["", "hello"], "hi", "[x] Received 'hi'"],
  [["02-work-queues/worker.ts"], ["", "task_queue"], "hi", "[x] Done"],
  [["03-pubsub/receive-logs.ts"], ["logs", ""], "hi", "[x] 'hi'"],
  [
    ["04-routing/receive-logs.ts", "info", "error"],
    ["direct_logs", "error"],
    "hi",
    "[x] error: 'hi'",
  ],
  [
    ["05-topics/receive-logs.ts", "*.info"],
    ["topic_logs", "app.info"],
    "hi",
    "[x] app.info: 'hi'",
  ],
  [["06-rpc/server.ts"], ["", "rpc_queue"], "30", "[.] fib(30)"],
];

/** The line that a consumer prints when it is ready. */
export const READY = /^\[[*x]\] A?[Ww]aiting /;

/** Counts the lines on standard output that match. */
export const count = (program: Program, line: string | RegExp) =>
  program.stdout.filter((one) =>
    typeof line === "string" ? one === line : line.test(one)
  ).length;

/** Sends a message, and waits until the consumer has printed it. */
export async function works(
  [, to, text, line]: Consumer,
  program: Program,
  url: string,
) {
  const before = count(program, line);
  await onChannel(url, async (channel) => {
    channel.publish(...to, Buffer.from(text));
    await channel.waitForConfirms();
  });
  await program.prints(line, before + 1);
}
