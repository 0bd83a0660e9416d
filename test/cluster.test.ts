/** The lessons on a cluster of three nodes that are killed (-9): what survives, what recovers. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callManagement, createVirtualHost } from "../scripts/lib/broker-to-use.ts";
import { type Program, runScript } from "../scripts/lib/program.ts";
import { type RabbitMQCluster, startCluster } from "../scripts/lib/rabbitmq-node.ts";
import { count, READY } from "./lib/consumers.ts";
import {
  nextRuntime,
  onChannel,
  QUORUM,
  untilTestEnds,
  whereInstalled,
} from "./lib/lesson-test.ts";

whereInstalled("a cluster", (programs) => {
  let cluster: RabbitMQCluster;
  beforeAll(async () => {
    cluster = await startCluster({ programs });
  });
  afterAll(() => cluster?.stop());

  /** Creates a virtual host. Returns a function that lists its addresses on the given nodes. */
  async function newVirtualHost(): Promise<(...nodes: number[]) => string> {
    const [node] = cluster.nodes;
    const url = await createVirtualHost({ ...node, prefix: "by-example-" });
    const { pathname } = new URL(url);
    // RabbitMQ 4.3 waits 60 s for a worker whose node has died before it requeues its task. Other
    // versions do not wait, and do not know the setting.
    const definition = { "consumer-disconnected-timeout": 2000 };
    const policy = { pattern: "^task_queue$", definition };
    const path = `policies${pathname}/short-timeout`;
    await callManagement(node, "PUT", path, policy).catch(() => {});
    return (...order) => order.map((i) => `${cluster.nodes[i]?.url}${pathname}`).join();
  }
  /** Counts how often workers with prefetch 1 have received a task and done it. */
  const timesDone = (workers: Program[], task: string) =>
    workers.flatMap(({ stdout }) =>
      stdout.filter((line, i) =>
        line.includes(`'${task}'`) && stdout[i + 1] === "[x] Done"
      )
    ).length;
  const run = (AMQP_URL: string, script: string, ...args: string[]) =>
    untilTestEnds(runScript(nextRuntime(), script, args, { env: { AMQP_URL } }));

  /** Kills a node, does something meanwhile, and starts the node again. */
  async function without(i: number, meanwhile: () => Promise<void>) {
    await cluster.nodes[i]?.crash();
    try {
      await meanwhile();
    } finally {
      await cluster.nodes[i]?.start();
    }
  }

  test(
    "the node that leads the queues and holds the connections is killed",
    async () => {
      const on = await newVirtualHost();
      const scripts = [
        "06-rpc/server.ts",
        "02-work-queues/worker.ts",
        "03-pubsub/receive-logs.ts",
      ];
      const [server, worker, subscriber] = scripts.map((script) =>
        run(on(0, 1, 2), script)
      );
      for (const program of [server, worker, subscriber]) {
        await program?.prints(READY, 1, 60);
      }
      const survivor = run(on(1, 2, 0), "02-work-queues/worker.ts");
      await survivor.prints(READY, 1, 60);
      await sleep(2000); // A quorum queue younger than 2 s may not survive, and nothing reports its state.
      await run(on(0), "02-work-queues/new-task.ts", "t", "--count", "600").exits(0);
      await survivor.prints("[x] Done", 10);

      await without(0, async () => {
        for (const program of [server, worker, subscriber]) {
          await program?.warns(/^\[!\] Lost amqp:.*Reconnecting/, 1, 60);
          await program?.warns(/^\[!\] Reconnected to amqp:/, 1, 60);
          expect(program?.stderr.at(-1)).not.toContain(`:${cluster.nodes[0].port}/`);
        }
        expect(survivor.stderr.filter((line) => /Lost/.test(line))).toEqual([]);
        const done = () =>
          [worker, survivor].reduce(
            (n, one) => n + (one ? count(one, "[x] Done") : 0),
            0,
          );
        await expect.poll(done, { timeout: 60_000 }).toBeGreaterThanOrEqual(600);
        // The first address is dead: the scripts use the next one.
        const client = run(on(0, 1, 2), "06-rpc/client.ts", "12");
        await client.exits(0);
        expect(client.stdout.at(-1)).toBe("[.] Got 144");
        // The subscriber's exclusive queue was lost with its node; it has declared a new one. On 4.3,
        // the old one remains bound until its node is back, so RabbitMQ rejects the message, although
        // the new queue gets its copy.
        const emit = run(on(0, 1, 2), "03-pubsub/emit-log.ts", "after");
        if (await emit.exitCode !== 0) {
          expect(emit.stderr.join()).toMatch(/^\[!\] message nacked/);
        }
        await subscriber?.prints("[x] 'after'");
      });
    },
    180_000,
  );

  test(
    "the nodes are killed in turn, under producers and workers: no confirmed task is lost",
    async () => {
      const on = await newVirtualHost();
      await onChannel(on(0), (channel) => channel.assertQueue("task_queue", QUORUM));
      await sleep(2000); // As above.
      const workers = [0, 1].map((i) =>
        run(on(i, 2, 1 - i), "02-work-queues/worker.ts")
      );
      for (const worker of workers) await worker.prints(READY, 1, 60);
      const sent = new Map<string, number>();
      for (let i = 0; i < 3; i++) {
        const send = (task: string, times: string, node: number) =>
          run(
            on(node, (node + 1) % 3, (node + 2) % 3),
            "02-work-queues/new-task.ts",
            task,
            "--count",
            times,
          );
        const producers = new Map([
          [`lost ${i}`, send(`lost ${i}`, "1000", i)],
          [`kept ${i}`, send(`kept ${i}`, "100", (i + 1) % 3)],
        ]);
        await producers.get(`lost ${i}`)?.prints(/Sent/, 1, 60);
        await without(i, async () => {
          for (const producer of producers.values()) await producer.exits();
        });
        for (const [task, producer] of producers) {
          sent.set(task, count(producer, /^\[x\] Sent/));
        }
      }
      expect([...sent.values()].reduce((sum, n) => sum + n)).toBeGreaterThan(100);
      await expect.poll(
        () => [...sent].filter(([task, n]) => timesDone(workers, task) < n),
        { timeout: 60_000, interval: 500 },
      ).toEqual([]);
    },
    180_000,
  );

  test(
    "two of three nodes are dead: nothing is sent, and it continues when one is back",
    async () => {
      const on = await newVirtualHost();
      const worker = run(on(0), "02-work-queues/worker.ts");
      await worker.prints(READY, 1, 60);
      await sleep(2000); // As above.
      await without(2, async () => {
        let newTask: Program | undefined;
        let late: Program | undefined;
        await without(1, async () => {
          newTask = run(on(0), "02-work-queues/new-task.ts", "kept back");
          late = run(on(1, 2, 0), "02-work-queues/worker.ts"); // Starts while the cluster recovers.
          await sleep(3000); // It would have been sent by now.
          expect(newTask.stdout).toEqual([]);
          expect(worker.stderr).toEqual([]);
        });
        await newTask?.exits();
        await run(on(0), "02-work-queues/new-task.ts", "goes on").exits(0);
        const either = [worker, late ?? worker];
        await Promise.any(
          either.map((one) => one.prints("[x] Received 'goes on'", 1, 60)),
        );
      });
    },
    180_000,
  );
});
