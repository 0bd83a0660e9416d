/**
 * npm run bench: measures lessons, each beside the script of the same name in baseline/,
 * which does the same work on bare amqplib. They take turns, each time in a new virtual
 * host. A figure is the median of the runs; behind it are the lowest and highest ratio.
 */
import { once } from "node:events";
import { basename, join } from "node:path";
import process from "node:process";
import yargs from "yargs";
import {
  createVirtualHost,
  deleteVirtualHost,
  getBroker,
  leaveBroker,
} from "../scripts/lib/broker-to-use.ts";
import { stopSignal } from "../scripts/lib/clean-up.ts";
import { runScript, type Runtime } from "../scripts/lib/program.ts";
import { end, warn } from "../shared/errors.ts";

const { runs, count } = yargs(process.argv.slice(2)).locale("en").strict()
  .usage("Usage: npm run bench -- [--runs 5] [--count 20000]")
  .option("runs", { type: "number", default: 5, describe: "Runs of each script" })
  .option("count", { type: "number", default: 20_000, describe: "Messages in a run" })
  .check(({ runs: n }) => (Number.isInteger(n) && n > 0) || "--runs must be 1, 2, …")
  .check(({ count: n }) => (n > 0 && n % 10 === 0) || "--count must be 10, 20, …")
  .parseSync();

/** What to run, and where: lessons, or their baselines. */
interface Side {
  isBaseline: boolean;
  runtime: Runtime;
  AMQP_URL: string;
}

const signal = stopSignal();
console.error("Starting RabbitMQ ...");
const broker = await getBroker(signal).catch((error) => end(error.message));
try {
  await Promise.race([measureAll(), once(signal, "abort")]);
  if (signal.aborted) process.exitCode = 1;
} catch (error) {
  warn(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
await leaveBroker(broker);
process.exit(); // What is still running is killed afterwards.

/** Prints all figures. */
async function measureAll(): Promise<void> {
  const launchers: Runtime[] = ["tsx", "deno"];
  for (const runtime of launchers) {
    await compare(`send.ts on ${runtime}`, "s", send, runtime);
    await compare(`client.ts on ${runtime}`, "s", (side) => call(side, 1), runtime);
  }
  const calls = count / 10;
  const manyCalls = async (side: Side) => calls / await call(side, calls, 2 * calls);
  await compare(`new-task.ts --count ${count}`, "messages/s", publish);
  await compare("worker.ts --prefetch 100", "messages/s", drain);
  await compare(`client.ts with ${calls} calls at once`, "calls/s", manyCalls);
}

/** From launch to exit. */
function send(side: Side): Promise<number> {
  return run(side, "01-hello/send.ts", []);
}

/** From the first confirm to the last one. */
async function publish(side: Side): Promise<number> {
  const args = ["--count", `${count}`];
  return count / await run(side, "02-work-queues/new-task.ts", args, count);
}

/** From when the worker is waiting until the last task is done: two lines for each. */
async function drain(side: Side): Promise<number> {
  await publish(side);
  const args = ["--prefetch", "100"];
  return count / await run(side, "02-work-queues/worker.ts", args, 1 + 2 * count);
}

/** From launch to exit or, given a number of lines, from the first to the last one. */
async function call(side: Side, times: number, lines?: number): Promise<number> {
  const server = start(side, "06-rpc/server.ts", []);
  await server.prints("[x] Awaiting RPC requests");
  const seconds = await run(side, "06-rpc/client.ts", Array(times).fill("30"), lines);
  await server.stop();
  return seconds;
}

/** Measures a lesson and its baseline, and prints the figure. */
async function compare(
  name: string,
  unit: string,
  measure: (side: Side) => Promise<number>,
  runtime: Runtime = "tsx",
): Promise<void> {
  const measureSide = async (isBaseline: boolean) => {
    const AMQP_URL = await createVirtualHost(broker);
    const figure = await measure({ isBaseline, runtime, AMQP_URL });
    await deleteVirtualHost(broker, AMQP_URL);
    return figure;
  };
  const lessons: number[] = [];
  const ratios: number[] = [];
  for (let i = 0; i <= runs; i++) {
    const first = i % 2 === 0 ? await measureSide(true) : undefined;
    const lesson = await measureSide(false);
    const baseline = first ?? await measureSide(true);
    if (i === 0) continue; // It fills the caches.
    lessons.push(lesson);
    ratios.push(lesson / baseline);
  }
  const figure = median(lessons);
  const isTime = unit === "s";
  const digits = isTime
    ? figure.toFixed(2)
    : Number(figure.toPrecision(3)).toLocaleString("en");
  const [ratio, low, high] = [median(ratios), Math.min(...ratios), Math.max(...ratios)]
    .map((n) => n.toFixed(2));
  const times = isTime ? "times" : "of";
  console.log(
    `${name}: ${digits} ${unit}, ${ratio} ${times} bare amqplib (${low} to ${high})`,
  );
}

/**
 * Runs a script, and returns how many seconds it took from launch to exit. Given a number
 * of lines, ends it when it has printed them, and returns the time from the first line.
 */
async function run(side: Side, lesson: string, args: string[], lines?: number) {
  const launched = performance.now();
  let [seen, first, last] = [0, 0, 0];
  const program = start(side, lesson, args, () => {
    last = performance.now();
    first ||= last;
    if (++seen === lines) program.signal("SIGINT");
  });
  await program.exits(lines ? undefined : 0, 120);
  if (!lines) return (performance.now() - launched) / 1000;
  if (seen === lines) return (last - first) / 1000;
  throw new Error(`${lesson} printed ${seen} lines, not ${lines}. ${program.stderr}`);
}

/** Starts a lesson or its baseline. */
function start(side: Side, lesson: string, args: string[], onLine?: () => void) {
  const { isBaseline, runtime, AMQP_URL } = side;
  const script = isBaseline ? join("bench/baseline", basename(lesson)) : lesson;
  return runScript(runtime, script, args, { env: { AMQP_URL }, onLine });
}

/** The middle one of some numbers; of an even number of them, the lower one. */
function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[(numbers.length - 1) >> 1] ?? NaN;
}
