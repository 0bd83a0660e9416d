/**
 * Measures what the lessons' comforts cost. Each stands beside its baseline, the same work in a bare amqplib script, in baseline/;
 * each figure is the median of some runs, the lesson's and the baseline's in turn. It writes nothing but its table.
 *
 *     npm run bench
 *     npm run bench -- --runs 3 publish drain
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import {
  type Broker,
  createVirtualHost,
  getBroker,
  leaveBroker,
} from "../scripts/lib/broker-to-use.ts";
import { Program, root, runtimes } from "../scripts/lib/program.ts";
import yargs from "yargs";
import { onStopSignal } from "../shared/leaving.ts";

/** What is measured, by the name that it has on the command line. */
const benches = { launch, publish, memory, drain, rpc };

const { _: names, runs } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage(`Usage: npm run bench -- [${Object.keys(benches).join("|")}..]\n\nMeasures.`)
  .example("npm run bench -- publish drain", "measures these two only")
  .option("runs", { type: "number", default: 5, describe: "Runs for each figure" })
  .check(({ runs }) => (Number.isInteger(runs) && runs > 0) || "--runs takes 1 or more")
  .check(({ _ }) => _.every((name) => Object.hasOwn(benches, name)) || "No such bench")
  .requiresArg("runs").parseSync();

const node = runtimes.tsx.command;
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
    console.log(
      line.map((cell, i) =>
        i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)
      ).join("  "),
    );
  }
  console.log(
    `\nBeside stands the same work in bare amqplib, or what the line names. Medians of ${runs} runs, least to most.`,
  );
} catch (error) {
  if (!stopping.signal.aborted) {
    console.error(`[!] ${error instanceof Error ? error.message : error}`);
  }
  process.exitCode = 1;
} finally {
  if (broker) await leaveBroker(broker);
}

/** From launch to exit, as a person starts it. */
async function launch(): Promise<void> {
  const launchers = {
    tsx: [join(root, "node_modules/.bin/tsx")],
    deno: runtimes.deno.command,
    bun: runtimes.bun.command,
  };
  for (const [runtime, command] of Object.entries(launchers)) {
    if (spawnSync(command[0] ?? "", ["--version"]).status !== 0) {
      lines.push([`launch on ${runtime}: not here`]);
      continue;
    }
    const time = (...script: string[]) => async (AMQP_URL: string) => {
      const begin = performance.now();
      await ended(start([...command, ...script], AMQP_URL));
      return performance.now() - begin;
    };
    const send = time("01-hello/send.ts");
    const baseline = (name: string) => time(`bench/baseline/${name}.ts`);
    await compare(`send.ts on ${runtime}`, "ms", send, baseline("send"), "<= 1.1");
    await compare("  amqplib alone", "ms", send, baseline("send-amqplib-only"));
    await compare("  sleeping 500 ms", "ms", send, baseline("send-and-sleep"), "< 1");
    await withServer([...node, "06-rpc/server.ts"], async (AMQP_URL) => {
      const client = () => time("06-rpc/client.ts", "30")(AMQP_URL);
      const beside = (name: string) => () => baseline(name)(AMQP_URL);
      const what = `client.ts 30 on ${runtime}`;
      await compare(what, "ms", client, beside("rpc-client"), "<= 1.1");
      await compare("  amqplib alone", "ms", client, beside("rpc-client-amqplib-only"));
    });
  }
}

/** Messages a second, confirmed: from the first that are reported as sent to the last. */
async function publish(): Promise<void> {
  const rate = (count: number, window: number, ...script: string[]) =>
  async (
    AMQP_URL: string,
  ) => {
    let first = 0;
    await ended(
      start([...node, ...script], AMQP_URL, () => first ||= performance.now()),
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
    "publish 20,000 tasks, confirmed",
    "a second",
    ours,
    baseline,
    ">= 0.85",
  );
  const oneByOne = rate(1000, 1, "bench/baseline/new-task.ts", "1000", "1");
  await compare("  beside waiting for each confirm", "a second", ours, oneByOne);
}

/** Peak memory of the same producer, with few messages to send and with many. */
async function memory(): Promise<void> {
  const report =
    'process.on("exit", () => console.error("peak", process.resourceUsage().maxRSS))';
  const peak = (count: number) => async (AMQP_URL: string) => {
    const script = ["02-work-queues/new-task.ts", "task", "--count", String(count)];
    const program = start([
      ...node,
      "--import",
      `data:text/javascript,${report}`,
      ...script,
    ], AMQP_URL);
    await ended(program);
    return Number(program.stderr.at(-1)?.split(" ")[1]) / 1000;
  };
  await compare(
    "peak memory, 200,000 tasks beside 20,000",
    "MB",
    peak(200_000),
    peak(20_000),
    "<= 1.3",
  );
}

/** Tasks a second, from the first that a worker receives to the last that it has done. */
async function drain(): Promise<void> {
  const rate = (tasks: number, ...script: string[]) => async (AMQP_URL: string) => {
    await ended(
      start([...node, "bench/baseline/new-task.ts", String(tasks)], AMQP_URL),
    );
    let [done, first, last] = [0, 0, 0];
    const worker = start([...node, ...script], AMQP_URL, (line) => {
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
    "drain 20,000 tasks, prefetch 100",
    "a second",
    ours,
    baseline,
    ">= 0.85",
  );
  await compare(
    "  beside prefetch 1",
    "a second",
    ours,
    rate(2000, "02-work-queues/worker.ts"),
  );
}

/** Calls a second, with few and with many under way; and what they leave in memory. */
async function rpc(): Promise<void> {
  const rate =
    (server: string[], client: string, calls: number, underWay: number) => () =>
      withServer([...node, ...server], async (AMQP_URL) => {
        const program = start(
          [...node, client, String(calls), String(underWay)],
          AMQP_URL,
        );
        await ended(program);
        const [, ms] = /calls in (.*) ms/.exec(program.stdout.join()) ?? [];
        return calls / Number(ms) * 1000;
      });
  const lesson = ["06-rpc/server.ts", "--prefetch"];
  const baseline = ["bench/baseline/rpc-server.ts"];

  for (const underWay of [1, 100]) {
    for (const prefetch of ["1", "50"]) {
      const ours = rate([...lesson, prefetch], "bench/rpc-calls.ts", 2000, underWay);
      const bare = rate(
        [...baseline, prefetch],
        "bench/baseline/rpc-calls.ts",
        2000,
        underWay,
      );
      await compare(
        `RPC, ${underWay} under way, prefetch ${prefetch}`,
        "a second",
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
    "RPC, all at once, beside a server without noDelay",
    "a second",
    loaded,
    delayed,
    ">= 40",
  );

  let before = 0; // The same run measures both.
  const after = () =>
    withServer([...node, ...lesson, "50"], async (AMQP_URL) => {
      const program = start([...node, "--expose-gc", "bench/rpc-memory.ts"], AMQP_URL);
      await ended(program);
      const [first = 0, last = 0, waiting] =
        program.stdout.at(-1)?.split(" ").map(Number) ?? [];
      if (waiting !== 0) {
        throw new Error(`${waiting} calls are left in the client's map`);
      }
      before = first;
      return last;
    });
  await compare(
    "RPC, heap after 20,000 calls beside before",
    "MB",
    after,
    () => Promise.resolve(before),
    "<= 1.05",
  );
}

/** Takes the runs of the lesson and of the baseline in turn, and adds a line to the table. */
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
      figures[which]?.push(await measure(await newVirtualHost()));
    }
  }
  const [ours, bare] = figures.map((all) => all.sort((a, b) => a - b));
  const cell = (all: number[] = []) =>
    `${round(median(all))} ${unit} (${round(all.at(0) ?? 0)} to ${
      round(all.at(-1) ?? 0)
    })`;
  const ratio = median(ours) / median(bare);
  const [sign, limit] = target.split(" ");
  const missed = sign === ">=" ? ratio < Number(limit) : ratio > Number(limit);
  lines.push([
    what,
    cell(ours),
    cell(bare),
    ratio.toFixed(2),
    missed ? `${target} (missed)` : target,
  ]);
}

/** The middle one of numbers in order, or the mean of the two in the middle. */
function median(all: number[] = []): number {
  return ((all[(all.length - 1) >> 1] ?? 0) + (all[all.length >> 1] ?? 0)) / 2;
}

/** As many digits as mean something. */
function round(n: number): string {
  return n < 100 ? n.toFixed(1) : Math.round(n).toLocaleString("en");
}

/** The address of a virtual host that nothing was done on. */
function newVirtualHost(): Promise<string> {
  if (!broker) throw new Error("There is no broker yet");
  return createVirtualHost(broker);
}

/** Starts a program in the project's folder. */
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

/** Waits until a program has ended, and well. */
async function ended(program: Program): Promise<void> {
  const code = await program.exitCode;
  if (code !== 0) {
    throw new Error(`A program ended with ${code}:\n${program.stderr.join("\n")}`);
  }
}

/** Runs an RPC server in a virtual host of its own, while something is measured with it. */
async function withServer<T>(
  server: string[],
  measure: (AMQP_URL: string) => Promise<T>,
): Promise<T> {
  const AMQP_URL = await newVirtualHost();
  const program = start(server, AMQP_URL);
  await program.prints("[x] Awaiting RPC requests");
  try {
    return await measure(AMQP_URL);
  } finally {
    program.signal("SIGKILL");
    await program.exitCode;
  }
}
