/**
 * Measures the overhead of shared/: it compares each lesson with its baseline in baseline/, which does the same work with
 * the same packages, but without shared/. Each figure is the median of several runs, which alternate between the two.
 * It also measures how soon a lesson recovers when a broker fails.
 *
 *     npm run bench
 *     npm run bench -- --runs 3 publish drain
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import yargs from "yargs";
import {
  type Broker,
  createVirtualHost,
  deleteVirtualHost,
  getBroker,
  leaveBroker,
} from "../scripts/lib/broker-to-use.ts";
import { startCluster } from "../scripts/lib/rabbitmq-node.ts";
import { Program, root, runtimes } from "../scripts/lib/program.ts";
import { accepts, findRabbitMQ } from "../scripts/lib/rabbitmq-node.ts";
import { onStopSignal } from "../shared/shutdown.ts";

/** The benchmarks, by their names on the command line. */
const benches = { launch, publish, memory, drain, rpc, failover };

const { _: names, runs } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage(
    `Usage: npm run bench -- [${
      Object.keys(benches).join("|")
    }..]\n\nMeasures the lessons.`,
  )
  .example("npm run bench -- publish drain", "measures only these two")
  .option("runs", { type: "number", default: 5, describe: "Runs for each figure" })
  .check(({ runs }) => (Number.isInteger(runs) && runs > 0) || "--runs must be 1, 2, …")
  .check(({ _ }) =>
    _.every((name) => Object.hasOwn(benches, name)) || "Unknown benchmark"
  )
  .requiresArg("runs").parseSync();

const tsx = runtimes.tsx.command;
const lines: string[][] = [["", "measured", "baseline", "ratio", "target"]];
let broker: Broker | undefined;
const running = new Set<Program>();
const stopping = new AbortController();
onStopSignal(() => {
  stopping.abort();
  running.forEach((program) => program.signal("SIGKILL"));
}, () => process.exit(1));
try {
  console.error("Starting RabbitMQ ...");
  broker = await getBroker(stopping.signal);
  for (const [name, bench] of Object.entries(benches)) {
    if (names.length === 0 || names.includes(name)) await bench();
  }
  const widths = lines[0]?.map((_, i) =>
    Math.max(...lines.map((line) => line[i]?.length ?? 0))
  ) ?? [];
  for (const line of lines) {
    const padded = line.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)
    );
    console.log(padded.join("  "));
  }
  console.log(`\nMedians of ${runs} runs (min-max).`);
} catch (error) {
  if (!stopping.signal.aborted) {
    console.error(`[!] ${error instanceof Error ? error.message : error}`);
  }
  process.exitCode = 1;
} finally {
  if (broker) await leaveBroker(broker);
}

/** Time from launch to exit, as a person starts a script. */
async function launch(): Promise<void> {
  const launchers = {
    tsx: [join(root, "node_modules/.bin/tsx")],
    deno: runtimes.deno.command,
    bun: runtimes.bun.command,
  };
  for (const [runtime, command] of Object.entries(launchers)) {
    if (spawnSync(command[0] ?? "", ["--version"]).status !== 0) {
      lines.push([`launch on ${runtime}: not installed`]);
      continue;
    }
    const time = (...script: string[]) => async (AMQP_URL: string) => {
      const begin = performance.now();
      await ended(start([...command, ...script], AMQP_URL));
      return performance.now() - begin;
    };
    const send = time("01-hello/send.ts");
    const baseline = (name: string) => time(`bench/baseline/${name}.ts`);
    await compare(`send.ts on ${runtime}`, " ms", send, baseline("send"), "<= 1.1");
    await compare("  amqplib alone", " ms", send, baseline("send-amqplib-only"));
    await compare("  sleeping 500 ms", " ms", send, baseline("send-and-sleep"), "< 1");
    await inVirtualHost((AMQP_URL) =>
      withServer([...tsx, "06-rpc/server.ts"], AMQP_URL, async () => {
        const client = () => time("06-rpc/client.ts", "30")(AMQP_URL);
        const beside = (name: string) => () => baseline(name)(AMQP_URL);
        const what = `client.ts 30 on ${runtime}`;
        await compare(what, " ms", client, beside("rpc-client"), "<= 1.1");
        await compare(
          "  amqplib alone",
          " ms",
          client,
          beside("rpc-client-amqplib-only"),
        );
      })
    );
  }
}

/** Confirmed messages per second, from the first one printed as sent until the script exits. */
async function publish(): Promise<void> {
  const rate = (count: number, window: number, ...script: string[]) =>
  async (
    AMQP_URL: string,
  ) => {
    let first = 0;
    await ended(
      start([...tsx, ...script], AMQP_URL, () => first ||= performance.now()),
    );
    return (count - window) / (performance.now() - first) * 1000;
  };
  const ours = rate(
    20_000,
    1,
    "02-work-queues/new-task.ts",
    "task",
    "--count",
    "20000",
  );
  const baseline = rate(20_000, 500, "bench/baseline/new-task.ts", "20000");
  await compare(
    "publish 20,000, confirmed",
    "/s",
    ours,
    baseline,
    ">= 0.85",
  );
  const oneByOne = rate(1000, 1, "bench/baseline/new-task.ts", "1000", "1");
  await compare("  waiting for each confirm", "/s", ours, oneByOne);
}

/** Peak memory of the producer, for few messages and for many. */
async function memory(): Promise<void> {
  const report =
    'process.on("exit", () => console.error("peak", process.resourceUsage().maxRSS))';
  const peak = (count: number) => async (AMQP_URL: string) => {
    const script = ["02-work-queues/new-task.ts", "task", "--count", String(count)];
    const program = start([
      ...tsx,
      "--import",
      `data:text/javascript,${report}`,
      ...script,
    ], AMQP_URL);
    await ended(program);
    return Number(program.stderr.at(-1)?.split(" ")[1]) / 1000;
  };
  await compare(
    "peak memory, 200,000 vs 20,000",
    " MB",
    peak(200_000),
    peak(20_000),
    "<= 1.3",
  );
}

/** Tasks per second, from the first one received to the last one done. */
async function drain(): Promise<void> {
  const rate = (tasks: number, ...script: string[]) => async (AMQP_URL: string) => {
    await ended(
      start([...tsx, "bench/baseline/new-task.ts", String(tasks)], AMQP_URL),
    );
    let [done, first, last] = [0, 0, 0];
    const worker = start([...tsx, ...script], AMQP_URL, (line) => {
      if (line.startsWith("[x] Received")) first ||= performance.now();
      if (line !== "[x] Done" || ++done < tasks) return;
      last = performance.now();
      worker.signal("SIGINT");
    });
    await worker.exitCode;
    return tasks / (last - first) * 1000;
  };
  const ours = rate(20_000, "02-work-queues/worker.ts", "--prefetch", "100");
  const baseline = rate(20_000, "bench/baseline/worker.ts");
  await compare(
    "drain 20,000, prefetch 100",
    "/s",
    ours,
    baseline,
    ">= 0.85",
  );
  await compare(
    "  prefetch 1",
    "/s",
    ours,
    rate(2000, "02-work-queues/worker.ts"),
  );
}

/** Calls per second, with one and with many outstanding; and the memory they leave behind. */
async function rpc(): Promise<void> {
  const rate =
    (server: string[], client: string, calls: number, outstanding: number) =>
    (AMQP_URL: string) =>
      withServer([...tsx, ...server], AMQP_URL, async () => {
        const program = start(
          [...tsx, client, String(calls), String(outstanding)],
          AMQP_URL,
        );
        await ended(program);
        const [, ms] = /calls in (.*) ms/.exec(program.stdout.join()) ?? [];
        return calls / Number(ms) * 1000;
      });
  const lesson = ["06-rpc/server.ts", "--prefetch"];
  const baseline = ["bench/baseline/rpc-server.ts"];

  for (const outstanding of [1, 100]) {
    for (const prefetch of ["1", "50"]) {
      const ours = rate([...lesson, prefetch], "bench/rpc-calls.ts", 2000, outstanding);
      const bare = rate(
        [...baseline, prefetch],
        "bench/baseline/rpc-calls.ts",
        2000,
        outstanding,
      );
      await compare(
        `RPC, ${outstanding} calls, prefetch ${prefetch}`,
        "/s",
        ours,
        bare,
        ">= 0.9",
      );
    }
  }
  const loaded = rate([...lesson, "1"], "bench/rpc-calls.ts", 2000, 2000);
  const delayed = rate(
    [...baseline, "1", "delay"],
    "bench/baseline/rpc-calls.ts",
    50,
    50,
  );
  await compare(
    "RPC, all at once, vs Nagle on",
    "/s",
    loaded,
    delayed,
    ">= 40",
  );

  let before = 0; // Measured in the same run.
  const after = (AMQP_URL: string) =>
    withServer([...tsx, ...lesson, "50"], AMQP_URL, async () => {
      const program = start([...tsx, "--expose-gc", "bench/rpc-memory.ts"], AMQP_URL);
      await ended(program);
      const [first = 0, last = 0, waiting] =
        program.stdout.at(-1)?.split(" ").map(Number) ?? [];
      if (waiting !== 0) {
        throw new Error(`${waiting} calls remain in the client's map`);
      }
      before = first;
      return last;
    });
  await compare(
    "RPC, heap after 20,000 calls",
    " MB",
    after,
    () => Promise.resolve(before),
    "<= 1.05",
  );
}

/** How soon a worker continues, after its node is killed (-9), or after its only node is back. */
async function failover(): Promise<void> {
  const programs = findRabbitMQ();
  if (!programs || !broker?.node) {
    lines.push(["failover: RabbitMQ is not installed here"]);
    return;
  }
  const { node } = broker;
  console.error("Starting a cluster ...");
  const cluster = await startCluster({ programs, signal: stopping.signal });
  try {
    const [first] = cluster.nodes;
    const onCluster = async (order: number[]) => {
      const { pathname } = new URL(
        await createVirtualHost({ ...first, prefix: "bench-" }),
      );
      return order.map((i) => `${cluster.nodes[i]?.url}${pathname}`).join();
    };
    const produce = (AMQP_URL: string, count: number) =>
      ended(
        start(
          [...tsx, "02-work-queues/new-task.ts", "t", "--count", `${count}`],
          AMQP_URL,
        ),
      );

    /** Seconds from an event until the worker, which has lost its broker, has done its next task. */
    const untilDone = async (AMQP_URL: string, event: () => Promise<number>) => {
      let isBack = false;
      let doneAt = 0;
      const worker = start([...tsx, "02-work-queues/worker.ts"], AMQP_URL, (line) => {
        isBack ||= line.startsWith("[!] Reconnected");
        if (isBack && line === "[x] Done") doneAt ||= performance.now();
      });
      await worker.prints("[x] Done", 100);
      const from = await event();
      while (!doneAt) await sleep(5);
      worker.signal("SIGKILL");
      await worker.exitCode;
      return (doneAt - from) / 1000;
    };

    const [killed, returned]: [number[], number[]] = [[], []];
    const [three, one]: [number[], number[]] = [[], []];
    for (let i = 0; i < runs; i++) {
      stopping.signal.throwIfAborted();
      console.error(`failover, run ${i + 1} ...`);
      const order = [i % 3, (i + 1) % 3, (i + 2) % 3];
      const AMQP_URL = await onCluster(order); // A queue's leader starts on the node on which it is declared.
      await produce(AMQP_URL, 20_000);
      await sleep(2500); // A quorum queue younger than 2 s may not survive.
      const dying = cluster.nodes[order[0] ?? 0];
      killed.push(
        await untilDone(AMQP_URL, async () => {
          const at = performance.now();
          await dying?.crash();
          return at;
        }),
      );
      await dying?.start();

      const alone = await createVirtualHost(broker);
      await produce(alone, 20_000);
      await sleep(2500);
      returned.push(
        await untilDone(alone, async () => {
          await node.crash();
          const starting = node.start();
          while (!await accepts(node.port)) await sleep(5);
          const at = performance.now();
          await starting;
          return at;
        }),
      );

      const rate = async (url: string) => {
        let begun = 0;
        const script = ["02-work-queues/new-task.ts", "t", "--count", "20000"];
        await ended(start([...tsx, ...script], url, () => begun ||= performance.now()));
        return 19_999 / (performance.now() - begun) * 1000;
      };
      three.push(await rate(await onCluster([0, 1, 2])));
      one.push(await rate(await createVirtualHost(broker)));
    }
    addLine("node of leader, connection killed", " s", [killed], "<= 3");
    addLine("only node is back", " s", [returned], "<= 2");
    addLine("publish, three nodes vs one", "/s", [three, one], "");
  } finally {
    await cluster.stop();
  }
}

/** Runs the lesson and the baseline alternately, and adds a line to the table. */
async function compare(
  what: string,
  unit: string,
  lesson: (AMQP_URL: string) => Promise<number>,
  baseline: (AMQP_URL: string) => Promise<number>,
  target = "",
): Promise<void> {
  console.error(`${what.trim()} ...`);
  const figures: [lesson: number[], baseline: number[]] = [[], []];
  for (let i = 0; i < runs; i++) {
    for (const [which, measure] of [lesson, baseline].entries()) {
      stopping.signal.throwIfAborted();
      figures[which]?.push(await inVirtualHost(measure));
    }
  }
  addLine(what, unit, figures, target);
}

/** Adds a line to the table: the figures, and those of the baseline if there is one. */
function addLine(
  what: string,
  unit: string,
  figures: number[][],
  target: string,
): void {
  const [ours = [], baseline] = figures.map((all) => all.sort((a, b) => a - b));
  const cell = (all: number[] = []) =>
    `${round(median(all))}${unit} (${round(all.at(0) ?? 0)}-${round(all.at(-1) ?? 0)})`;
  const ratio = baseline ? median(ours) / median(baseline) : median(ours);
  const [sign, limit] = target.split(" ");
  const missed = sign === ">=" ? ratio < Number(limit) : ratio > Number(limit);
  lines.push([
    what,
    cell(ours),
    baseline ? cell(baseline) : "",
    baseline ? ratio.toFixed(2) : "",
    missed ? `${target} (missed)` : target,
  ]);
}

/** The median of sorted numbers. */
function median(all: number[] = []): number {
  return ((all[(all.length - 1) >> 1] ?? 0) + (all[all.length >> 1] ?? 0)) / 2;
}

/** Rounds to one decimal below 100, or else to an integer. */
function round(n: number): string {
  return n < 100 ? n.toFixed(1) : Math.round(n).toLocaleString("en");
}

/** Measures in a new virtual host, and deletes it, so that its messages do not slow down the next measurement. */
async function inVirtualHost<T>(measure: (AMQP_URL: string) => Promise<T>): Promise<T> {
  if (!broker) throw new Error("The broker is not running yet");
  const AMQP_URL = await createVirtualHost(broker);
  const figure = await measure(AMQP_URL);
  await deleteVirtualHost(broker, AMQP_URL);
  return figure;
}

/** Starts a program in the folder of the project. */
function start(
  command: string[],
  AMQP_URL: string,
  onLine?: (line: string) => void,
): Program {
  const program = new Program(command, { env: { AMQP_URL }, onLine });
  running.add(program);
  program.exitCode.finally(() => running.delete(program));
  return program;
}

/** Waits until a program exits with code 0, for ten minutes at most. */
function ended(program: Program): Promise<void> {
  return program.exits(0, 600);
}

/** Runs an RPC server during a measurement. */
async function withServer<T>(
  server: string[],
  AMQP_URL: string,
  measure: () => Promise<T>,
): Promise<T> {
  const program = start(server, AMQP_URL);
  await program.prints("[x] Awaiting RPC requests");
  try {
    return await measure();
  } finally {
    program.signal("SIGKILL");
    await program.exitCode;
  }
}
