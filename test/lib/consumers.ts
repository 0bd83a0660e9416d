/** Every consumer, for tests of what all of them do, and of what they survive. */
import { Buffer } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import type { Program } from "../../scripts/lib/program.ts";
import { closeAll, onChannel, SETTLING } from "./broker.ts";
import type { TestNode } from "./test-node.ts";

/** A consumer, and how to see that it works. */
export interface Consumer {
  /** Its script and arguments. */
  command: [script: string, ...args: string[]];
  /** The exchange to publish a 7 to; "" is the default exchange. */
  exchange: string;
  /** The routing key of this message; for the default exchange, it names the queue. */
  routingKey: string;
  /** The line that it then prints. */
  line: string;
}

export const consumers: Consumer[] = [
  {
    command: ["01-hello/receive.ts"],
    exchange: "",
    routingKey: "hello",
    line: "[x] Received '7'",
  },
  {
    command: ["02-work-queues/worker.ts"],
    exchange: "",
    routingKey: "task_queue",
    line: "[x] Done",
  },
  {
    command: ["03-pubsub/receive-logs.ts"],
    exchange: "logs",
    routingKey: "",
    line: "[x] '7'",
  },
  {
    command: ["04-routing/receive-logs.ts", "error"],
    exchange: "direct_logs",
    routingKey: "error",
    line: "[x] error: '7'",
  },
  {
    command: ["05-topics/receive-logs.ts", "*.a"],
    exchange: "topic_logs",
    routingKey: "b.a",
    line: "[x] b.a: '7'",
  },
  {
    command: ["06-rpc/server.ts"],
    exchange: "",
    routingKey: "rpc_queue",
    line: "[.] fib(7)",
  },
];

/** The line that a consumer prints when it is ready. */
export const READY = /^\[[*x]\] A?[Ww]aiting /;

/** Counts the lines on standard output that match. */
export const count = (program: Program, line: string | RegExp) =>
  program.stdout.filter((one) =>
    typeof line === "string" ? one === line : line.test(one)
  ).length;

/** Sends a message, and waits until the consumer has printed it. */
export async function works(consumer: Consumer, program: Program, url: string) {
  const before = count(program, consumer.line);
  await onChannel(url, async (channel) => {
    channel.publish(consumer.exchange, consumer.routingKey, Buffer.from("7"));
    await channel.waitForConfirms();
  });
  await program.prints(consumer.line, before + 1);
}

/** A consumer, and its running program. */
type Running = { consumer: Consumer; program: Program };

/**
 * Starts every consumer, and takes the broker away in every way that they survive. Each
 * time, they must be ready within some seconds of its return, and work. Returns them.
 */
export async function survive(
  node: TestNode,
  url: string,
  start: (consumer: Consumer) => Program,
  seconds: number,
): Promise<Running[]> {
  const all = consumers.map((consumer) => ({ consumer, program: start(consumer) }));
  for (const { program } of all) await program.prints(READY);
  await sleep(SETTLING);

  async function lose(affected: Running[], cause: () => Promise<unknown>) {
    const times = affected.map(({ program }) => count(program, READY) + 1);
    await cause();
    await Promise.all(
      affected.map(({ program }, i) => program.prints(READY, times[i], seconds)),
    );
    for (const { consumer, program } of affected) await works(consumer, program, url);
  }
  await lose(all, () => node.crash().then(node.start));
  await lose(all, () => node.pause().then(node.start));
  await lose(all, () => closeAll(node, url));
  await lose(all, () => closeAll(node, url)); // The same reason again is news again.
  const withNamedQueues = all.filter(({ consumer }) => consumer.exchange === "");
  await lose(withNamedQueues, () =>
    onChannel(url, async (channel) => {
      for (const { consumer } of withNamedQueues) {
        await channel.deleteQueue(consumer.routingKey);
      }
    }));
  return all;
}
