/** A queue that is deleted under its consumer, or has other settings, and an acknowledgement that times out. */
import { afterAll, beforeAll, expect, test as plainTest } from "vitest";
import { createVirtualHost } from "../scripts/lib/broker-to-use.ts";
import { runScript } from "../scripts/lib/program.ts";
import { type RabbitMQNode, startNode } from "../scripts/lib/rabbitmq-node.ts";
import {
  AWAITING_REQUESTS,
  onChannel,
  onEveryRuntime,
  untilTestEnds,
  WAITING_FOR_LOGS,
  WAITING_FOR_MESSAGES,
  withOwnNode,
} from "./lib/lesson-test.ts";
import { runtimesToTest } from "./lib/runtimes.ts";

/** A task of more than a minute: longer than any acknowledgement timeout in these tests. */
const LONG_TASK = `long${".".repeat(70)}`;

const consumers = [
  {
    script: "01-hello/receive.ts",
    queue: "hello",
    ready: WAITING_FOR_MESSAGES,
    producer: "01-hello/send.ts",
    line: "[x] Received 'Hello World!'",
  },
  {
    script: "02-work-queues/worker.ts",
    queue: "task_queue",
    ready: WAITING_FOR_MESSAGES,
    producer: "02-work-queues/new-task.ts",
    line: "[x] Done",
  },
  {
    script: "06-rpc/server.ts",
    queue: "rpc_queue",
    ready: AWAITING_REQUESTS,
    producer: "06-rpc/client.ts",
    line: "[.] fib(30)",
  },
];

onEveryRuntime("queue trouble", (test) => {
  for (const { script, queue, ready, producer, line } of consumers) {
    test(`${script}: its queue is deleted; it reports this, declares it again, and continues`, async ({ run, virtualHost }) => {
      const consumer = run(script);
      await consumer.prints(ready);
      await onChannel(virtualHost, (channel) => channel.deleteQueue(queue));
      await consumer.warns(
        /^\[!\] Lost .*: RabbitMQ cancelled the consumer of '\w+', because the queue was deleted\. Reconnecting/,
      );
      await consumer.warns(/^\[!\] Reconnected to /);
      await run(producer).exits(0);
      await consumer.prints(line);
      expect(await consumer.stop()).toBe(0);
      expect(consumer.stderr.filter((line) => !/^\[!\] (Lost|Reconnected)/.test(line)))
        .toEqual([]);
    });

    test(`${script}: the queue exists with other settings; both sides report which, and how to delete it`, async ({ run, virtualHost }) => {
      await onChannel(
        virtualHost,
        (channel) => channel.assertQueue(queue, { durable: true, maxLength: 5 }),
      );
      const scripts = queue === "rpc_queue" ? [script] : [script, producer]; // The client declares no rpc_queue.
      const deletion = `npx tsx scripts/delete.ts queue '${queue}'`;
      for (const refused of scripts) {
        const program = run(refused);
        await program.exits(1);
        expect(program.stdout).toEqual([]);
        expect(program.stderr).toEqual([
          expect.stringMatching(
            `^\\[!\\] The queue '${queue}' already exists with other settings: x-(queue-type|max-length) should be .*, but is `,
          ),
          `[!] Delete it and its messages: ${deletion}`,
        ]);
      }
      const [, , deleting = "", ...args] = deletion.replaceAll("'", "").split(" ");
      await run(deleting, ...args).exits(0);
      await run(script).prints(ready);
    });
  }

  test("the exchange exists with other settings", async ({ run, virtualHost }) => {
    await onChannel(
      virtualHost,
      (channel) => channel.assertExchange("logs", "direct", { durable: false }),
    );
    for (const script of ["03-pubsub/emit-log.ts", "03-pubsub/receive-logs.ts"]) {
      const program = run(script);
      await program.exits(1);
      expect(program.stderr).toEqual([
        "[!] The exchange 'logs' already exists with other settings: type should be 'fanout', but is 'direct'.",
        "[!] Delete it: npx tsx scripts/delete.ts exchange 'logs'",
      ]);
    }
    await run("scripts/delete.ts", "exchange", "logs").exits(0);
    await run("03-pubsub/receive-logs.ts").prints(WAITING_FOR_LOGS);
  });
});

withOwnNode("a broker with an acknowledgement timeout of one second", (programs) => {
  let node: RabbitMQNode;
  beforeAll(async () => {
    const erlangArguments =
      "-rabbit consumer_timeout 1000 -rabbit channel_tick_interval 1000";
    node = await startNode({ programs, erlangArguments });
  });
  afterAll(() => node?.stop());

  for (const runtime of runtimesToTest) {
    plainTest(
      `it takes the task from the worker, which reports this and continues, on ${runtime}`,
      async () => {
        const AMQP_URL = await createVirtualHost({ ...node, prefix: "by-example-" });
        const run = (script: string, ...args: string[]) =>
          untilTestEnds(runScript(runtime, script, args, { env: { AMQP_URL } }));
        const worker = run("02-work-queues/worker.ts");
        await worker.prints(WAITING_FOR_MESSAGES);
        await run("02-work-queues/new-task.ts", LONG_TASK).exits(0);
        // Before 4.3, RabbitMQ closes the channel; from 4.3 on, it cancels the consumer. It checks
        // the timeout only now and then.
        const why =
          /^\[!\] Lost .*: (PRECONDITION_FAILED - .* timed out.*|RabbitMQ cancelled the consumer of 'task_queue', although the queue still exists)\. Reconnecting/;
        await worker.warns(why, 1, 45);
        await worker.warns(/^\[!\] Reconnected to /);
        await worker.prints(`[x] Received '${LONG_TASK}'`, 2);
        for (const attempt of [2, 3]) {
          const line = `[!] Attempt ${attempt}: the previous one was not acknowledged`;
          await worker.warns(line, 1, 45);
        }
        expect(await worker.stop()).toBe(0);
      },
    );
  }
});
