/** What the broker rejects, and bugs: the script ends with one line, or with a stack trace. */
import { Buffer } from "node:buffer";
import { expect, inject } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { messagesIn, onChannel, QUORUM, setPolicy } from "./lib/broker.ts";
import { READY } from "./lib/consumers.ts";
import { fails, onEveryRuntime, test, withOwnNode } from "./lib/lesson-test.ts";

const CONSUMER = "test/scripts/consumer.ts";

/** Makes the queues of a virtual host full with a number of messages. */
function limitQueues(virtualHost: string, limit: number) {
  const definition = { "max-length": limit, overflow: "reject-publish" };
  return setPolicy(inject("broker"), virtualHost, ".*", definition);
}

/** Sends a message to a queue. */
const sendTo = (url: string, queue: string) =>
  onChannel(url, async (channel) => {
    channel.sendToQueue(queue, Buffer.from("a message"));
    await channel.waitForConfirms();
  });

onEveryRuntime("what the broker rejects", (test) => {
  test("a full queue rejects a message: none but the confirmed ones are printed", async ({ run, virtualHost }) => {
    await limitQueues(virtualHost, 5000);
    const newTask = run("02-work-queues/new-task.ts", "t", "--count", "20000");
    const line =
      "[!] message nacked. A queue is full, was deleted, or has too few nodes running.";
    const { length: sent } = await fails(newTask, line);
    expect(sent).toBeGreaterThan(0);
    expect(await messagesIn(virtualHost, "task_queue")).toBeGreaterThanOrEqual(sent);
  });

  test("a callback that throws: its stack trace, exit code 1", async ({ consume, virtualHost }) => {
    const bug = /RangeError: a bug[^]*consumer\.ts/;
    const bugs = { "at once": bug, later: bug, "in a confirm": bug };
    const others = {
      "a system error": /ENOENT[^]*consumer\.ts/,
      undefined: /TypeError/,
    };
    for (const [what, error] of Object.entries({ ...bugs, ...others })) {
      const consumer = await consume(CONSUMER, `throw ${what}`);
      await sendTo(virtualHost, "hello");
      await consumer.exits(1);
      expect(consumer.stderr.join("\n")).toMatch(error);
      expect(consumer.stderr.join("\n")).not.toContain("[!]");
    }
  });
});

const settingsDiffer: [kind: string, name: string, ...scripts: string[]][] = [
  ["queue", "hello", "01-hello/send.ts", "01-hello/receive.ts"],
  ["queue", "task_queue", "02-work-queues/new-task.ts", "02-work-queues/worker.ts"],
  ["queue", "rpc_queue", "06-rpc/server.ts"],
  ["exchange", "logs", "03-pubsub/emit-log.ts", "03-pubsub/receive-logs.ts"],
];
test("a queue or exchange has other settings: the line says which, and how to delete it", async ({ run, consume, virtualHost }) => {
  for (const [kind, name, ...scripts] of settingsDiffer) {
    await onChannel(virtualHost, async (channel) => {
      if (kind === "queue") await channel.assertQueue(name, { maxLength: 5 });
      else await channel.assertExchange(name, "direct", { durable: false });
    });
    const deletion =
      `in rabbitmq-by-example: npx tsx scripts/delete.ts ${kind} '${name}'`;
    const line = RegExp(
      `^\\[!\\] PRECONDITION_FAILED - inequivalent arg '[\\w-]+' for ${kind} '${name}' ` +
        `in vhost .*\\. Declare it as it exists or, to delete it and all it holds, ${deletion}$`,
    );
    for (const script of scripts) expect(await fails(run(script), line)).toEqual([]);
    await run("scripts/delete.ts", kind, name).exits(0);
    await consume(scripts.at(-1) ?? "");
  }
});

test("a routing key or binding key over 255 bytes: one line", async ({ run }) => {
  const tooLong = /^\[!\] Field 'routingKey' .* binding key is limited to 255 bytes\.$/;
  for (const script of ["05-topics/emit-log.ts", "05-topics/receive-logs.ts"]) {
    expect(await fails(run(script, "é".repeat(128)), tooLong)).toEqual([]);
  }
});

/** Mistakes in a script, and the line about each. */
const mistakes: [what: string, line: RegExp][] = [
  ["acknowledge twice", /^\[!\] PRECONDITION_FAILED - .* It was acknowledged twice/],
  ["no exchange", /^\[!\] NOT_FOUND - no exchange 'lgos' in vhost/],
];
for (const [what, line] of mistakes) {
  test(`the script's mistake, "${what}": one line, no other try`, async ({ consume, virtualHost }) => {
    const consumer = await consume(CONSUMER, what);
    await sendTo(virtualHost, "hello");
    await fails(consumer, line);
  });
}

test("a queue that is neither durable nor exclusive, on 4.3: one line, no other try", async ({ run }) => {
  const transient = run(CONSUMER, "transient queue"); // As the article declares it.
  const isPermitted = await transient.prints(READY).then(() => true, () => false);
  if (isPermitted) return; // Before 4.3.
  const line = /^\[!\] INTERNAL_ERROR.* Declare the queue with durable: true\.$/;
  await fails(transient, line);
});

test("a rejected request fails at once, not at its timeout", async ({ virtualHost }) => {
  await onChannel(virtualHost, async (channel) => {
    await limitQueues(virtualHost, 1);
    await channel.assertQueue("rpc_queue", QUORUM);
    for (let i = 0; i < 200; i++) channel.sendToQueue("rpc_queue", Buffer.from("1"));
    await channel.waitForConfirms().catch(() => {}); // It is full now.
    const call = new FibonacciRpcClient(channel).call(1, 60);
    await expect(call).rejects.toThrow("request not confirmed: message nacked");
  });
});

const erlangArguments =
  "-rabbit consumer_timeout 1000 -rabbit channel_tick_interval 1000";
withOwnNode("a task is not acknowledged in time", { erlangArguments }, (test) => {
  test("RabbitMQ takes it from the worker, which reports this and goes on", async ({ run, consume }) => {
    const worker = await consume("02-work-queues/worker.ts");
    await run("02-work-queues/new-task.ts", `long${".".repeat(70)}`).exits(0);
    // Before 4.3, RabbitMQ closes the channel; from 4.3 on, it cancels the consumer.
    const line =
      /^\[!\] Lost .*: (PRECONDITION_FAILED .* timed out|closed by the script, as for a cancelled consumer: its queue was deleted, or a message was not acknowledged in time\.)/;
    await worker.warns(line, 1, 45);
    await worker.warns(/^\[!\] Reconnected to /);
    await worker.warns("[!] Redelivered: it may have been done before", 1, 45);
    expect(await worker.stop()).toBe(0);
  });
});
