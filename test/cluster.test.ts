/** The lessons on a cluster of three nodes that are killed (-9): what survives, what recovers. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createVirtualHost } from "../scripts/lib/broker-to-use.ts";
import { type RabbitMQCluster, startCluster } from "../scripts/lib/cluster.ts";
import { type Program, runScript } from "../scripts/lib/program.ts";
import { onChannel, QUORUM, setPolicy, SETTLING } from "./lib/broker.ts";
import { count, READY } from "./lib/consumers.ts";
import { untilTestEnds, whereInstalled } from "./lib/lesson-test.ts";
import { freePort } from "./lib/ports.ts";
import { quickRuntime } from "./lib/runtimes.ts";

const [NEW_TASK, WORKER] = ["02-work-queues/new-task.ts", "02-work-queues/worker.ts"];

whereInstalled("a cluster", (programs) => {
  let cluster: RabbitMQCluster;
  beforeAll(async () => {
    cluster = await startCluster({ programs, port: await freePort(3) }, 3);
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
    await setPolicy(node, url, "^task_queue$", definition).catch(() => {});
    return (...order) => order.map((i) => `${cluster.nodes[i]?.url}${pathname}`).join();
  }
  const run = (AMQP_URL: string, script: string, ...args: string[]) =>
    untilTestEnds(runScript(quickRuntime, script, args, { env: { AMQP_URL } }));
  /** Starts a consumer, and waits until it is ready. */
  async function consume(AMQP_URL: string, script = WORKER): Promise<Program> {
    const program = run(AMQP_URL, script);
    await program.prints(READY, 1, 60);
    return program;
  }
  /** Kills a node, does something meanwhile, and starts the node again. */
  async function without(i: number, meanwhile: () => Promise<void>) {
    await cluster.nodes[i]?.crash();
    await meanwhile().finally(() => cluster.nodes[i]?.start());
  }

  test("the node that leads the queues and holds the connections is killed", async () => {
    const on = await newVirtualHost();
    const server = await consume(on(0, 1, 2), "06-rpc/server.ts");
    const worker = await consume(on(0, 1, 2));
    const subscriber = await consume(on(0, 1, 2), "03-pubsub/receive-logs.ts");
    const survivor = await consume(on(1, 2, 0));
    await sleep(SETTLING);
    await run(on(0), NEW_TASK, "t", "--count", "600").exits(0);
    await survivor.prints("[x] Done", 10);

    await without(0, async () => {
      for (const program of [server, worker, subscriber]) {
        await program.warns(/^\[!\] Lost amqp:.*Reconnecting/, 1, 60);
        await program.warns(/^\[!\] Reconnected to amqp:/, 1, 60);
        expect(program.stderr.at(-1)).not.toContain(`:${cluster.nodes[0].port}/`);
      }
      expect(survivor.stderr.join()).not.toContain("Lost");
      const done = () => count(worker, "[x] Done") + count(survivor, "[x] Done");
      await expect.poll(done, { timeout: 60_000 }).toBeGreaterThanOrEqual(600);
      // The first address is dead: the scripts use the next one.
      const client = run(on(0, 1, 2), "06-rpc/client.ts", "12");
      await client.exits(0);
      expect(client.stdout.at(-1)).toBe("[.] Got 144");
      // The subscriber's exclusive queue was lost with its node; it has declared a new one.
      // On 4.3, the old one remains bound until its node is back, so RabbitMQ rejects the
      // message, although the new queue gets its copy.
      const emit = run(on(0, 1, 2), "03-pubsub/emit-log.ts", "after");
      const code = await emit.exitCode;
      expect(emit.stderr.join()).toMatch(code ? /^\[!\] message nacked/ : /^$/);
      await subscriber.prints("[x] 'after'");
    });
  });

  test("the nodes are killed in turn, under producers and workers: no confirmed task is lost", async () => {
    const on = await newVirtualHost();
    await onChannel(on(0), (channel) => channel.assertQueue("task_queue", QUORUM));
    await sleep(SETTLING);
    const workers = [await consume(on(0, 2, 1)), await consume(on(1, 2, 0))];
    const sent = new Map<string, number>();
    for (const [i, j, k] of [[0, 1, 2], [1, 2, 0], [2, 0, 1]] as const) {
      const lost = run(on(i, j, k), NEW_TASK, `lost ${i}`, "--count", "1000");
      const kept = run(on(j, k, i), NEW_TASK, `kept ${i}`, "--count", "100");
      await lost.prints(/Sent/, 1, 60);
      await without(i, async () => {
        await Promise.all([lost.exits(), kept.exits()]);
      });
      sent.set(`lost ${i}`, count(lost, /^\[x\] Sent/));
      sent.set(`kept ${i}`, count(kept, /^\[x\] Sent/));
    }
    expect([...sent.values()].reduce((sum, n) => sum + n)).toBeGreaterThan(100);
    const isDone = (task: string) => (line: string, i: number, all: string[]) =>
      line === `[x] Received '${task}'` && all[i + 1] === "[x] Done";
    const timesDone = (task: string) =>
      workers.flatMap(({ stdout }) => stdout.filter(isDone(task))).length;
    const missing = () => [...sent].filter(([task, n]) => timesDone(task) < n);
    await expect.poll(missing, { timeout: 60_000 }).toEqual([]);
  });

  test("two of three nodes are dead: nothing is sent, and it continues when one is back", async () => {
    const on = await newVirtualHost();
    const worker = await consume(on(0));
    await sleep(SETTLING);
    await without(2, async () => {
      const both: Program[] = [];
      await without(1, async () => {
        // The second one starts while the cluster recovers.
        both.push(run(on(0), NEW_TASK, "kept back"), run(on(1, 2, 0), WORKER));
        await sleep(3000); // It would have been sent by now.
        expect([...both[0]?.stdout ?? [], ...worker.stderr]).toEqual([]);
      });
      await both[0]?.exits();
      await run(on(0), NEW_TASK, "goes on").exits(0);
      const either = [worker, ...both.slice(1)];
      await Promise.any(either.map((one) => one.prints(/'goes on'/, 1, 60)));
    });
  });
});
