/** The lessons on a cluster of three nodes that are killed (-9): what survives, what recovers, what is reported. */
import { Buffer } from "node:buffer";
import { setInterval, setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callManagement, createVirtualHost } from "../scripts/lib/broker-to-use.ts";
import { type RabbitMQCluster, startCluster } from "../scripts/lib/rabbitmq-node.ts";
import { type Program, runScript, type Runtime } from "../scripts/lib/program.ts";
import { accepts, type RabbitMQNode } from "../scripts/lib/rabbitmq-node.ts";
import {
  AWAITING_REQUESTS,
  onChannel,
  processesOf,
  QUORUM,
  timesDone,
  untilTestEnds,
  WAITING_FOR_LOGS,
  WAITING_FOR_MESSAGES,
  whereInstalled,
} from "./lib/lesson-test.ts";
import { runtimeAt, runtimesToTest } from "./lib/runtimes.ts";

whereInstalled("a cluster", (programs) => {
  let cluster: RabbitMQCluster;
  beforeAll(async () => {
    cluster = await startCluster({ programs });
  });
  afterAll(() => cluster?.stop());

  /** Creates a virtual host. Returns a function that lists its addresses on the given nodes, in this order. */
  async function newVirtualHost(): Promise<(...nodes: number[]) => string> {
    const [node] = cluster.nodes;
    const url = await createVirtualHost({ ...node, prefix: "by-example-" });
    const { pathname } = new URL(url);
    // RabbitMQ 4.3 waits 60 s for a worker whose node has died before it requeues its task. Other
    // versions do not wait, and do not know the setting.
    const policy = {
      pattern: "^task_queue$",
      definition: { "consumer-disconnected-timeout": 2000 },
    };
    const path = `policies${pathname}/short-timeout`;
    await callManagement(node, "PUT", path, policy).catch(() => {});
    return (...order) => order.map((i) => `${cluster.nodes[i]?.url}${pathname}`).join();
  }

  const run = (runtime: Runtime, AMQP_URL: string, script: string, ...args: string[]) =>
    untilTestEnds(runScript(runtime, script, args, { env: { AMQP_URL } }));

  /** Kills a node, does something meanwhile, and starts the node again. */
  async function without(
    node: RabbitMQNode | undefined,
    meanwhile: () => Promise<void>,
  ) {
    await node?.crash();
    try {
      await meanwhile();
    } finally {
      await node?.start();
    }
  }

  const done = (...workers: Program[]) =>
    workers.reduce(
      (sum, { stdout }) => sum + stdout.filter((line) => line === "[x] Done").length,
      0,
    );

  const portOf = (i: number) => new URL(cluster.nodes[i]?.url ?? "").port;

  /** Starts scripts that are connected to node 0, and a worker that is not, and sends 600 tasks. */
  async function startScripts(runtime: Runtime) {
    const on = await newVirtualHost();
    const start = (AMQP_URL: string, script: string, ...args: string[]) =>
      run(runtime, AMQP_URL, script, ...args);
    const server = start(on(0, 1, 2), "06-rpc/server.ts");
    const worker = start(on(0, 1, 2), "02-work-queues/worker.ts");
    const subscriber = start(on(0, 1, 2), "03-pubsub/receive-logs.ts");
    await server.prints(AWAITING_REQUESTS, 1, 60);
    await worker.prints(WAITING_FOR_MESSAGES, 1, 60);
    // Two workers that declare a new queue at once may get an internal error, and try their next address.
    const survivor = start(on(1, 2, 0), "02-work-queues/worker.ts");
    await survivor.prints(WAITING_FOR_MESSAGES, 1, 60);
    await subscriber.prints(WAITING_FOR_LOGS, 1, 60);
    await onChannel(on(0), async (channel) => {
      await channel.assertExchange("kept", "direct", { durable: false });
      await channel.bindQueue("task_queue", "kept", "key");
    });
    await sleep(2000); // A quorum queue younger than 2 s may not survive, and nothing reports its state.
    const newTask = start(on(0), "02-work-queues/new-task.ts", "t", "--count", "600");
    await newTask.exits(0);
    expect(newTask.stdout.length).toBe(600);
    await survivor.prints("[x] Done", 10);
    return { on, start, server, worker, survivor, subscriber };
  }

  /** Checks that these scripts work on the two other nodes. */
  async function checkScripts(scripts: Awaited<ReturnType<typeof startScripts>>) {
    const { on, start, server, worker, survivor, subscriber } = scripts;
    for (const program of [server, worker, subscriber]) {
      const lost = new RegExp(`^\\[!\\] Lost amqp:.*:${portOf(0)}/.*Reconnecting`);
      await program.warns(lost, 1, 60);
      await program.warns(/^\[!\] Reconnected to amqp:/, 1, 60);
      expect(program.stderr.at(-1)).not.toContain(`:${portOf(0)}/`);
    }
    expect(survivor.stderr.filter((line) => line.startsWith("[!] Lost"))).toEqual([]);
    for await (const _ of setInterval(100)) if (done(worker, survivor) >= 600) break;

    // The first address is dead: the scripts use the next one.
    const client = start(on(0, 1, 2), "06-rpc/client.ts", "12");
    await client.exits(0);
    expect(client.stdout.at(-1)).toBe("[.] Got 144");
    const late = start(on(0, 1, 2), "02-work-queues/worker.ts");
    await late.prints(WAITING_FOR_MESSAGES, 1, 60);

    // The exchange and its binding remain on the other nodes.
    await onChannel(on(1), async (channel) => {
      await channel.checkExchange("kept");
      channel.on("return", () => expect.unreachable("the binding is gone"));
      channel.publish("kept", "key", Buffer.from("routed"), { mandatory: true });
      await channel.waitForConfirms();
    });
    await Promise.any(
      [worker, survivor, late].map((one) => one.prints("[x] Received 'routed'", 1, 60)),
    );

    // The subscriber's exclusive queue was lost with its node; it has declared a new one.
    await subscriber.prints(WAITING_FOR_LOGS, 2, 60);
    const emit = start(on(0, 1, 2), "03-pubsub/emit-log.ts", "after");
    // On 4.3, the dead node's exclusive queue remains bound until the node is back, but cannot
    // accept its copy. So RabbitMQ rejects the message, although the other queues get theirs.
    if (await emit.exitCode !== 0) {
      expect(emit.stderr[0]).toMatch(/^\[!\] RabbitMQ rejected a message/);
    }
    await subscriber.prints("[x] 'after'");
  }

  test("the node that leads the queues and holds connections is killed", async () => {
    const all = await Promise.all(runtimesToTest.map(startScripts));
    await without(cluster.nodes[0], async () => {
      for (const scripts of all) await checkScripts(scripts);
    });
    for (const { on, start, subscriber } of all) {
      await expect.poll(
        () => start(on(0, 1, 2), "03-pubsub/emit-log.ts", "at last").exitCode,
        { timeout: 30_000 },
      ).toBe(0);
      await subscriber.prints("[x] 'at last'");
    }
  }, 180_000);

  test(
    "the nodes are killed in turn, under producers and workers: no confirmed task is lost",
    async () => {
      const on = await newVirtualHost();
      await onChannel(on(0), (channel) => channel.assertQueue("task_queue", QUORUM));
      await sleep(2000); // As above.
      const workers = [0, 1].map((i) =>
        run(runtimeAt(i), on(i, 2, 1 - i), "02-work-queues/worker.ts")
      );
      for (const worker of workers) await worker.prints(WAITING_FOR_MESSAGES, 1, 60);

      const sent = new Map<string, number>();
      const send = (i: number, task: string, count: number, node: number) => {
        const addresses = on(node, (node + 1) % 3, (node + 2) % 3);
        const args = [task, "--count", String(count)];
        return run(runtimeAt(i), addresses, "02-work-queues/new-task.ts", ...args);
      };
      for (let i = 0; i < 3; i++) {
        const producers = new Map([
          [`lost ${i}`, send(i, `lost ${i}`, 1000, i)],
          [`kept ${i}`, send(i + 1, `kept ${i}`, 100, (i + 1) % 3)],
        ]);
        await producers.get(`lost ${i}`)?.prints(/Sent/, 1, 60);
        await without(cluster.nodes[i], async () => {
          for (const producer of producers.values()) await producer.exits();
        });
        for (const [task, { stdout }] of producers) {
          sent.set(task, stdout.filter((line) => line.startsWith("[x] Sent")).length);
        }
      }

      expect([...sent.values()].reduce((sum, n) => sum + n)).toBeGreaterThan(100);
      // A failure shows whether the tasks are still in the queue, and what the workers were doing.
      const queue = `queues${new URL(on(0)).pathname}/task_queue`;
      await expect.poll(async () => {
        const left = [...sent].filter(([task, n]) => timesDone(workers, task) < n);
        return left.length > 0 && {
          left,
          workers: workers.map(({ stdout, stderr }) => [stdout.at(-1), ...stderr]),
          queue: await callManagement(cluster.nodes[0], "GET", queue),
        };
      }, { timeout: 60_000, interval: 500 }).toBe(false);
    },
    180_000,
  );

  test(
    "two of three nodes are dead: nothing is sent, this is reported, and it continues when one is back",
    async () => {
      const on = await newVirtualHost();
      const [runtime = "tsx", another = "tsx"] = [
        runtimesToTest.at(0),
        runtimesToTest.at(-1),
      ];
      const worker = run(runtime, on(0), "02-work-queues/worker.ts");
      await worker.prints(WAITING_FOR_MESSAGES, 1, 60);
      await sleep(2000); // As above.
      const [, second, third] = cluster.nodes;
      await without(third, async () => {
        let newTask: Program | undefined;
        let late: Program | undefined;
        await without(second, async () => {
          newTask = run(another, on(0), "02-work-queues/new-task.ts", "kept back");
          await newTask.warns(
            /^\[!\] (RabbitMQ has not (confirmed the messages|declared the queue) yet\. Still waiting|Lost amqp:.*INTERNAL_ERROR|amqp:.* failed)/,
            1,
            60,
          );
          expect(newTask.stdout).toEqual([]);
          expect(worker.stderr).toEqual([]);
          late = run(another, on(1, 2, 0), "02-work-queues/worker.ts"); // Starts while the cluster recovers.
        });
        await newTask?.exits();
        const again = run(another, on(0), "02-work-queues/new-task.ts", "goes on");
        await again.exits(0);
        expect(again.stdout).toEqual(["[x] Sent 'goes on'"]);
        await Promise.any(
          [worker, late ?? worker].map((one) =>
            one.prints("[x] Received 'goes on'", 1, 60)
          ),
        );
      });
    },
    180_000,
  );

  test("it has three running nodes again, and leaves nothing behind", async () => {
    const [node] = cluster.nodes;
    await expect.poll(
      () => callManagement(node, "GET", "nodes?columns=running"),
      { timeout: 30_000 },
    ).toEqual(Array(3).fill({ running: true }));
    await cluster.stop();
    expect(processesOf(node.controlEnvironment.HOME ?? "")).toEqual([]);
    for (const { port } of cluster.nodes) expect(await accepts(port)).toBe(false);
  });
});
