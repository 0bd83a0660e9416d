/**
 * npm run bench: measures lessons, each in turn with the script of the same name in
 * baseline/, which does the same on bare amqplib. A line shows the median of all runs, the
 * median ratio, and in parentheses the lowest and the highest one. With --only TEXT, it
 * measures those whose line contains the text.
 */
import { once } from "node:events";
import process from "node:process";
import yargs from "yargs";
import * as brokers from "../scripts/lib/broker-to-use.ts";
import { stopSignal } from "../scripts/lib/clean-up.ts";
import { type Program, runScript, type Runtime } from "../scripts/lib/program.ts";
import { end, warn } from "../shared/errors.ts";

const { runs, count, only } = yargs(process.argv.slice(2)).locale("en").strict()
  .number(["runs", "count"]).string("only")
  .default({ runs: 5, count: 20_000, only: "" })
  .check(({ runs, count }) => (runs >= 1 && count >= 10) || "Too few").parseSync();
const calls = Math.ceil(count / 10);
const newTask = ["02-work-queues/new-task.ts", "--count", `${count}`];
const worker = ["02-work-queues/worker.ts", "--prefetch", "100"];

/** Starts a script with its arguments, or its baseline. */
type Start = (command: string[], onLine?: () => void) => Program;
/** Returns a time in seconds, or a rate. */
type Measure = (start: Start) => Promise<number>;

const send: Measure = (start) => run(start, ["01-hello/send.ts"]);
const publish: Measure = async (start) => count / await run(start, newTask, count);
const drain: Measure = async (start) => {
  await publish(start);
  return count / await run(start, worker, 1 + 2 * count); // Two lines for each task.
};
const call = async (start: Start, numbers = ["30"], lines = 0) => {
  const server = start(["06-rpc/server.ts"]);
  await server.prints("[x] Awaiting RPC requests");
  const seconds = await run(start, ["06-rpc/client.ts", ...numbers], lines);
  await server.stop();
  return seconds;
};
const callAtOnce: Measure = async (start) =>
  calls / await call(start, Array(calls).fill("30"), 2 * calls);

const signal = stopSignal();
const broker = await brokers.getBroker(signal).catch((error) => end(error.message));
process.exitCode = 1;
await Promise.race([measureAll(), once(signal, "abort")]).catch((error) => warn(error));
await brokers.leaveBroker(broker);
process.exit(); // What is still running is killed afterwards.

async function measureAll(): Promise<void> {
  for (const runtime of ["tsx", "deno"] as const) {
    await compare("send.ts", runtime, "s", send);
    await compare("client.ts", runtime, "s", call);
  }
  await compare(`new-task.ts --count ${count}`, "tsx", "messages/s", publish);
  await compare("worker.ts --prefetch 100", "tsx", "tasks/s", drain);
  await compare(`client.ts, ${calls} calls at once,`, "tsx", "calls/s", callAtOnce);
  process.exitCode = 0;
}

/** Measures a lesson and its baseline in turn, each time in a new virtual host. */
async function compare(name: string, runtime: Runtime, unit: string, measure: Measure) {
  const title = `${name} on ${runtime}`;
  if (!title.includes(only)) return;
  const pairs: number[][] = [];
  for (let i = 0; i <= runs; i++) {
    const pair: number[] = [];
    for (const isBaseline of [false, true]) {
      const AMQP_URL = await brokers.createVirtualHost(broker);
      pair.push(
        await measure(([script = "", ...args], onLine) => {
          const path = isBaseline ? script.replace(/.*\//, "bench/baseline/") : script;
          return runScript(runtime, path, args, { env: { AMQP_URL }, onLine });
        }),
      );
      await brokers.deleteVirtualHost(broker, AMQP_URL);
    }
    if (i > 0) pairs.push(pair); // The first run fills caches.
  }
  const ascending = (a: number, b: number) => a - b;
  const lessons = pairs.map(([lesson = NaN]) => lesson).sort(ascending);
  const ratios = pairs.map(([a = NaN, b = NaN]) => a / b).sort(ascending);
  const figure = Number(lessons[runs >> 1]?.toPrecision(3)).toLocaleString("en");
  const [low, ratio, high] = [0, runs >> 1, -1].map((i) => ratios.at(i)?.toFixed(2));
  const times = `${ratio} times bare amqplib (${low}-${high})`;
  console.log(`${title}: ${figure} ${unit}, ${times}`);
}

/** Returns the seconds from launch to exit or, given how many, from first to last line. */
async function run(start: Start, command: string[], lines = 0): Promise<number> {
  const times = [performance.now()];
  const program = start(command, () => {
    if (times.push(performance.now()) === 1 + lines) program.signal("SIGINT");
  });
  await program.exits(lines ? undefined : 0);
  const [from, to] = lines ? [times[1], times[lines]] : [times[0], performance.now()];
  if (!from || !to) throw new Error(`${command[0]}: ${program.stderr}`);
  return (to - from) / 1000;
}
