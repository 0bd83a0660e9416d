/** Every consumer, for tests of what all of them do, and of what they survive. */
import { Buffer } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import type { Program } from "../../scripts/lib/program.ts";
import { closeAll, onChannel, SETTLING } from "./broker.ts";
import type { TestNode } from "./test-node.ts";

/** A consumer: its command line, where to publish a 7, and the line it then prints. */
type Consumer = [words: [string, ...string[]], to: [string, string], line: string];

export const consumers: Consumer[] = [
  [["01-hello/receive.ts"], ["", "hello"], "[x] Received '7'"],
  [["02-work-queues/worker.ts"], ["", "task_queue"], "[x] Done"],
  [["03-pubsub/receive-logs.ts"], ["logs", ""], "[x] '7'"],
  [["04-routing/receive-logs.ts", "error"], ["direct_logs", "error"], "[x] error: '7'"],
  [["05-topics/receive-logs.ts", "*.a"], ["topic_logs", "b.a"], "[x] b.a: '7'"],
  [["06-rpc/server.ts"], ["", "rpc_queue"], "[.] fib(7)"],
];

/** The line that a consumer prints when it is ready. */
export const READY = /^\[[*x]\] A?[Ww]aiting /;

/** Counts the lines on standard output that match. */
export const count = (program: Program, line: string | RegExp) =>
  program.stdout.filter((one) =>
    typeof line === "string" ? one === line : line.test(one)
  ).length;

/** Sends a message, and waits until the consumer has printed it. */
export async function works([, to, line]: Consumer, program: Program, url: string) {
  const before = count(program, line);
  await onChannel(url, async (channel) => {
    channel.publish(...to, Buffer.from("7"));
    await channel.waitForConfirms();
  });
  await program.prints(line, before + 1);
}

/**
 * Starts every consumer, and takes the broker away in every way that they survive. Each
 * time, they must be ready within some seconds of its return, and work. Returns them.
 */
export async function survive(
  node: TestNode,
  url: string,
  start: (consumer: Consumer) => Program,
  seconds: number,
) {
  const all = consumers.map((consumer) => ({ consumer, program: start(consumer) }));
  for (const { program } of all) await program.prints(READY);
  await sleep(SETTLING);
  const named = all.filter(({ consumer: [, [exchange]] }) => !exchange);
  const deleteQueues = () =>
    onChannel(url, async (channel) => {
      for (const { consumer: [, [, queue]] } of named) await channel.deleteQueue(queue);
    });
  const losses: [affected: typeof all, cause: () => Promise<unknown>][] = [
    [all, () => node.crash().then(node.start)],
    [all, () => node.pause().then(node.start)],
    [all, () => closeAll(node, url)],
    [all, () => closeAll(node, url)], // The same reason again is news again.
    [named, deleteQueues],
  ];
  for (const [affected, cause] of losses) {
    const times = affected.map(({ program }) => count(program, READY) + 1);
    await cause();
    const areReady = affected.map(({ program }, i) =>
      program.prints(READY, times[i], seconds)
    );
    await Promise.all(areReady);
    for (const { consumer, program } of affected) await works(consumer, program, url);
  }
  return all;
}
