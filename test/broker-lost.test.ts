/** The broker stops and comes back in every possible way, under every consumer; and it blocks producers. */
import { Buffer } from "node:buffer";
import { setInterval, setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import {
  type Broker,
  callManagement,
  createVirtualHost,
} from "../scripts/lib/broker-to-use.ts";
import { type Program, runScript, type Runtime } from "../scripts/lib/program.ts";
import { type RabbitMQNode, startNode } from "../scripts/lib/rabbitmq-node.ts";
import {
  AWAITING_REQUESTS,
  messagesOn,
  onChannel,
  QUORUM,
  timesDone,
  untilTestEnds,
  WAITING_FOR_LOGS,
  WAITING_FOR_MESSAGES,
  waitingForLogsOf,
  withOwnNode,
} from "./lib/lesson-test.ts";
import { runtimeAt, runtimesToTest } from "./lib/runtimes.ts";

/** Every consumer: the line it prints when it is ready and, to see that it works, a message and the line it then prints. */
const consumers: {
  script: string[];
  ready: string;
  message: [exchange: string, routingKey: string, content: string];
  line: string;
}[] = [
  {
    script: ["01-hello/receive.ts"],
    ready: WAITING_FOR_MESSAGES,
    message: ["", "hello", "Hello World!"],
    line: "[x] Received 'Hello World!'",
  },
  {
    script: ["02-work-queues/worker.ts"],
    ready: WAITING_FOR_MESSAGES,
    message: ["", "task_queue", "Hello World!"],
    line: "[x] Done",
  },
  {
    script: ["03-pubsub/receive-logs.ts"],
    ready: WAITING_FOR_LOGS,
    message: ["logs", "", "info: Hello World!"],
    line: "[x] 'info: Hello World!'",
  },
  {
    script: ["04-routing/receive-logs.ts", "info", "error"],
    ready: waitingForLogsOf("info", "error"),
    message: ["direct_logs", "error", "Hello World!"],
    line: "[x] error: 'Hello World!'",
  },
  {
    script: ["05-topics/receive-logs.ts", "*.info"],
    ready: waitingForLogsOf("*.info"),
    message: ["topic_logs", "anonymous.info", "Hello World!"],
    line: "[x] anonymous.info: 'Hello World!'",
  },
  {
    script: ["06-rpc/server.ts"],
    ready: AWAITING_REQUESTS,
    message: ["", "rpc_queue", "30"],
    line: "[.] fib(30)",
  },
];

withOwnNode("a broker that stops and comes back", (programs) => {
  let node: RabbitMQNode;
  let broker: Broker;
  /** A virtual host for each runtime, so that consumers do not take each other's messages. */
  const virtualHosts = new Map<Runtime, string>();
  /** The consumers, which run throughout all tests. */
  const running: {
    program: Program;
    runtime: Runtime;
    ready: string;
    message: [exchange: string, routingKey: string, content: string];
    line: string;
  }[] = [];

  const run = (
    runtime: Runtime,
    [script = "", ...args]: string[],
    AMQP_URL = virtualHosts.get(runtime) ?? "",
  ) => {
    return untilTestEnds(runScript(runtime, script, args, { env: { AMQP_URL } }));
  };

  beforeAll(async () => {
    node = await startNode({ programs });
    broker = {
      url: node.url,
      managementUrl: node.managementUrl,
      prefix: "by-example-",
      node,
    };
    for (const runtime of runtimesToTest) {
      const AMQP_URL = await createVirtualHost(broker);
      virtualHosts.set(runtime, AMQP_URL);
      for (const { script: [script = "", ...args], ...rest } of consumers) {
        running.push({
          program: runScript(runtime, script, args, { env: { AMQP_URL } }),
          runtime,
          ...rest,
        });
      }
    }
    await Promise.all(
      running.map(({ program, ready }) => program.prints(ready, 1, 60)),
    );
  });

  afterAll(async () => {
    for (const { program } of running) program.signal("SIGKILL");
    await Promise.all(running.map(({ program }) => program.exitCode));
    await node?.stop();
  });

  /** Stops the broker and starts it again. Every consumer must report both, once, and work as before. */
  async function stopAndComeBack(
    stop: () => Promise<void>,
    start: () => Promise<void>,
  ): Promise<void> {
    const before = running.map(({ program }) => ({
      said: program.stderr.length,
      printed: program.stdout.length,
    }));
    await stop();
    await Promise.all(
      running.map(({ program }, i) =>
        program.warns(/Lost amqp:/, (before[i]?.said ?? 0) / 2 + 1, 60)
      ),
    );
    await start();
    await Promise.all(
      running.map(({ program }, i) =>
        program.warns(/Reconnected to /, (before[i]?.said ?? 0) / 2 + 1, 60)
      ),
    );
    for (const [i, { program, runtime, message, line }] of running.entries()) {
      expect(program.stderr.slice(before[i]?.said)).toEqual([
        expect.stringMatching(
          /^\[!\] Lost amqp:\/\/guest:\*\*\*@127\.0\.0\.1:\d+\/by-example-\w+: .+\. Reconnecting \.\.\.$/,
        ),
        expect.stringMatching(
          /^\[!\] Reconnected to amqp:\/\/guest:\*\*\*@127\.0\.0\.1:\d+\/by-example-\w+$/,
        ),
      ]);
      const times = program.stdout.filter((printed) => printed === line).length;
      const [exchange, routingKey, content] = message;
      await onChannel(virtualHosts.get(runtime) ?? "", async (channel) => {
        channel.publish(exchange, routingKey, Buffer.from(content));
        await channel.waitForConfirms();
      });
      await program.prints(line, times + 1);
    }
  }

  test("connections are closed through the management API", () =>
    stopAndComeBack(async () => {
      // The API lists a connection some time after it was opened.
      for await (const _ of setInterval(100)) {
        const connections = await callManagement(broker, "GET", "connections");
        if (Array.isArray(connections) && connections.length >= running.length) {
          for (const { name } of connections) {
            await callManagement(
              broker,
              "DELETE",
              `connections/${encodeURIComponent(name)}`,
            );
          }
          return;
        }
      }
    }, async () => {}));

  test("an orderly restart: tasks survive, and Ctrl-C works while the broker is down", async () => {
    const elsewhere = await createVirtualHost(broker);
    await run(runtimeAt(0), ["02-work-queues/new-task.ts", "kept"], elsewhere).exits(0);
    const starting = runtimesToTest.map((runtime) => {
      const receive = run(runtime, ["03-pubsub/receive-logs.ts"]);
      return receive.prints(WAITING_FOR_LOGS).then(() => receive);
    });
    const stopped = await Promise.all(starting);
    for (const runtime of runtimesToTest) {
      run(runtime, ["03-pubsub/emit-log.ts", "ready?"]);
    }
    for (const receive of stopped) await receive.prints("[x] 'ready?'");
    await stopAndComeBack(() => node.pause(), async () => {
      for (const receive of stopped) {
        await receive.warns(/^\[!\] Lost /);
        const asked = performance.now();
        expect(await receive.stop()).toBe(0);
        expect(performance.now() - asked).toBeLessThan(2000);
      }
      await node.start();
    });
    await run(runtimeAt(1), ["02-work-queues/worker.ts"], elsewhere).prints(
      "[x] Received 'kept'",
    );
  });

  test("a crash (-9): waiting clients report it", async () => {
    const elsewhere = await createVirtualHost(broker);
    await onChannel(elsewhere, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    const clients = runtimesToTest.map((runtime) =>
      run(runtime, ["06-rpc/client.ts", "1", "2", "--timeout", "60"], elsewhere)
    );
    await Promise.all(clients.map((client) => client.prints("[x] Requesting fib(2)")));
    await stopAndComeBack(() => node.crash(), () => node.start());
    for (const client of clients) {
      await client.exits(1);
      expect(client.stderr).toEqual([expect.stringMatching(/^\[!\] Lost amqp:.*\.$/)]);
    }
  });

  test(
    "no confirmed task is lost, although workers are killed and the broker crashes",
    async () => {
      const elsewhere = await createVirtualHost(broker);
      await onChannel(
        elsewhere,
        (channel) => channel.assertQueue("task_queue", QUORUM),
      );
      await sleep(2500); // A quorum queue younger than 2 s may not survive a crash, and nothing reports its state.

      const workers: Program[] = [];
      let isOver = false;
      /** Starts a worker, kills it after some tasks, and starts another. */
      const startAndKill = async (runtime: Runtime) => {
        while (!isOver) {
          const worker = run(runtime, ["02-work-queues/worker.ts"], elsewhere);
          workers.push(worker);
          await worker.prints(/Received/, 10 + Math.floor(Math.random() * 60), 30)
            .catch(() => {});
          worker.signal("SIGKILL");
          await worker.exitCode;
        }
      };
      const killing = [0, 1, 2].map((i) => startAndKill(runtimeAt(i)));

      const sent = new Map<string, number>();
      for (let i = 0; i < 10; i++) {
        const newTask = run(
          runtimeAt(i),
          ["02-work-queues/new-task.ts", `task ${i}`, "--count", "40"],
          elsewhere,
        );
        if (i === 5) {
          await newTask.prints(/Sent/);
          await node.crash();
          await node.start();
        }
        await newTask.exits();
        sent.set(
          `task ${i}`,
          newTask.stdout.filter((line) => line.startsWith("[x] Sent")).length,
        );
      }
      isOver = true;
      for (const worker of workers) worker.signal("SIGKILL");
      await Promise.all(killing);

      // The remaining tasks are done by workers that are not killed.
      const last = runtimesToTest.map((runtime) =>
        run(runtime, ["02-work-queues/worker.ts"], elsewhere)
      );
      workers.push(...last);
      await Promise.all(last.map((worker) => worker.prints(WAITING_FOR_MESSAGES)));
      for await (const _ of setInterval(200)) {
        if (await messagesOn(elsewhere, "task_queue") === 0) break;
      }
      for (const worker of last) expect(await worker.stop()).toBe(0);
      expect(await messagesOn(elsewhere, "task_queue")).toBe(0);

      expect([...sent.values()].reduce((sum, n) => sum + n)).toBeGreaterThan(300);
      for (const [task, times] of sent) {
        expect(timesDone(workers, task), task).toBeGreaterThanOrEqual(times);
      }
    },
    120_000,
  );

  test("a memory alarm: a producer reports that it waits, and continues when the alarm is over", async () => {
    onTestFinished(() => node.control("set_vm_memory_high_watermark", "0.6"));
    await node.control("set_vm_memory_high_watermark", "0");
    const producers = runtimesToTest.map((runtime) =>
      run(runtime, ["03-pubsub/emit-log.ts"])
    );
    for (const producer of producers) {
      await producer.warns(
        /^\[!\] The broker does not accept messages: low on memory\. Waiting until it does \.\.\.$/,
      );
    }
    const [interrupted] = runtimesToTest.map((runtime) =>
      run(runtime, ["03-pubsub/emit-log.ts", "never"])
    );
    await interrupted?.warns(/does not accept messages/);
    expect(await interrupted?.stop()).toBe(130);
    expect(producers.flatMap(({ stdout }) => stdout)).toEqual([]);
    await node.control("set_vm_memory_high_watermark", "0.6");
    for (const producer of producers) {
      await producer.exits(0);
      expect(producer.stdout).toEqual(["[x] Sent 'info: Hello World!'"]);
      expect(producer.stderr.at(-1)).toBe("[!] The broker accepts messages again.");
    }
  });

  test.each(runtimesToTest)(
    "a frozen broker: a second Ctrl-C does not wait for it, on %s",
    async (runtime) => {
      const worker = run(runtime, ["02-work-queues/worker.ts"]);
      await worker.prints(WAITING_FOR_MESSAGES);
      onTestFinished(() => node.unfreeze());
      node.freeze();
      const asked = performance.now();
      worker.signal("SIGINT");
      await sleep(200); // As a person would: an earlier repeat is ignored.
      expect(await worker.stop()).toBe(0);
      expect(performance.now() - asked).toBeLessThan(900);
    },
  );
});
