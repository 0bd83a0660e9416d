/** Every consumer, for tests of what all of them do. */
import { Buffer } from "node:buffer";
import type { Program } from "../../scripts/lib/program.ts";
import { onChannel } from "./lesson-test.ts";
import {
  AWAITING_REQUESTS,
  WAITING_FOR_LOGS,
  WAITING_FOR_MESSAGES,
} from "./lesson-test.ts";

/** A consumer, and how to see that it works. */
export interface Consumer {
  /** The script and its arguments. */
  script: [string, ...string[]];
  /** The line it prints when it is ready. */
  ready: string;
  /** Where to publish a message. */
  to: [exchange: string, routingKey: string];
  /** The content of the message, and the line it then prints. */
  content: string;
  line: string;
}

export const consumers: Consumer[] = [
  {
    script: ["01-hello/receive.ts"],
    ready: WAITING_FOR_MESSAGES,
    to: ["", "hello"],
    content: "hi",
    line: "[x] Received 'hi'",
  },
  {
    script: ["02-work-queues/worker.ts"],
    ready: WAITING_FOR_MESSAGES,
    to: ["", "task_queue"],
    content: "hi",
    line: "[x] Done",
  },
  {
    script: ["03-pubsub/receive-logs.ts"],
    ready: WAITING_FOR_LOGS,
    to: ["logs", ""],
    content: "hi",
    line: "[x] 'hi'",
  },
  {
    script: ["04-routing/receive-logs.ts", "info", "error"],
    ready: WAITING_FOR_LOGS,
    to: ["direct_logs", "error"],
    content: "hi",
    line: "[x] error: 'hi'",
  },
  {
    script: ["05-topics/receive-logs.ts", "*.info"],
    ready: WAITING_FOR_LOGS,
    to: ["topic_logs", "app.info"],
    content: "hi",
    line: "[x] app.info: 'hi'",
  },
  {
    script: ["06-rpc/server.ts"],
    ready: AWAITING_REQUESTS,
    to: ["", "rpc_queue"],
    content: "30",
    line: "[.] fib(30)",
  },
];

/** Sends a message, and waits until the consumer has printed it. */
export async function works(consumer: Consumer, program: Program, url: string) {
  const times = program.stdout.filter((line) => line === consumer.line).length;
  await onChannel(url, async (channel) => {
    channel.publish(...consumer.to, Buffer.from(consumer.content));
    await channel.waitForConfirms();
  });
  await program.prints(consumer.line, times + 1);
}
