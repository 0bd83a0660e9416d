/**
 * Plays the six lessons in turn, with the real scripts on a real broker.
 *
 *     npm start
 *     npm start -- 5         (one lesson)
 *     npm start -- --step    (waits for Enter between lessons)
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import yargs from "yargs";
import { onStopSignal } from "../shared/shutdown.ts";
import {
  type Broker,
  createVirtualHost,
  getBroker,
  leaveBroker,
} from "./lib/broker-to-use.ts";
import { bold, dim, painted, type Role } from "./lib/colors.ts";
import { type Program, runScript } from "./lib/program.ts";

interface Lesson {
  title: string;
  page: string;
  /** The path of a message, as a picture. */
  picture: string[];
  /** What to look for in the output. */
  description: string[];
  play(): Promise<void>;
}

/** Printed once, before the first producer whose message may be received before it is confirmed. */
const NOTE = `
   A producer prints "[x] Sent" when RabbitMQ has confirmed the message.
   By then, a consumer may already have received it.
`;

const P = (name: string) => painted("producer", name);
const X = (name: string) => painted("exchange", name);
const Q = (name: string) => painted("queue", name);
const C = (name: string) => painted("consumer", name);

const lessons: Lesson[] = [
  {
    title: "1  Hello World",
    page: "01-hello/README.md",
    picture: [`${P("send")} ──→ ${Q("hello")} ──→ ${C("receive")}`],
    description: [
      "No consumer is running when the message is sent. The message waits in",
      "the queue until one starts.",
    ],
    async play() {
      await produce("send", "01-hello/send.ts");
      const receive = await consume("receive", "01-hello/receive.ts");
      await receive.prints("[x] Received 'Hello World!'");
    },
  },
  {
    title: "2  Work queues",
    page: "02-work-queues/README.md",
    picture: [
      `${P("new-task")} ──→ ${Q("task_queue")} ─┬─→ ${C("worker 1")}`,
      `                         └─→ ${C("worker 2")}`,
    ],
    description: [
      "Two workers share the tasks. The worker with the long task gets no other",
      "task until it has finished.",
    ],
    async play() {
      const workers = [
        await consume("worker 1", "02-work-queues/worker.ts"),
        await consume("worker 2", "02-work-queues/worker.ts"),
      ];
      const tasks = ["a long task....", "first.", "second."];
      for (const task of tasks) {
        await produce("new-task", "02-work-queues/new-task.ts", task);
      }
      // On a slow machine, the long task may be done before the last one is sent, so either worker may get that one.
      for (const task of tasks) await onePrints(workers, `[x] Received '${task}'`);
      for (const worker of workers) {
        const received = worker.stdout.filter((line) => line.includes("Received"));
        await worker.prints("[x] Done", received.length);
      }
    },
  },
  {
    title: "3  Publish/Subscribe",
    page: "03-pubsub/README.md",
    picture: [
      `${P("emit-log")} ──→ ${X("logs")} ─┬─→ ${Q("a queue")} ──→ ${C("logs 1")}`,
      `                   └─→ ${Q("a queue")} ──→ ${C("logs 2")}`,
    ],
    description: [
      "Each subscriber has its own queue and gets a copy of every message.",
    ],
    async play() {
      const subscribers = await Promise.all([
        consume("logs 1", "03-pubsub/receive-logs.ts"),
        consume("logs 2", "03-pubsub/receive-logs.ts"),
      ]);
      await produce("emit-log", "03-pubsub/emit-log.ts");
      await allPrint(subscribers, "[x] 'info: Hello World!'");
    },
  },
  {
    title: "4  Routing",
    page: "04-routing/README.md",
    picture: [
      `${P("emit-log")} ──→ ${X("direct_logs")} ─┬─ error ────────────────→ ` +
      `${Q("a queue")} ──→ ${C("errors")}`,
      `                          └─ info, warning, error ─→ ` +
      `${Q("a queue")} ──→ ${C("all")}`,
    ],
    description: [
      "One consumer wants errors, the other wants everything. Each receives",
      "only the messages that match its bindings.",
    ],
    async play() {
      const script = "04-routing/receive-logs.ts";
      const [errors, all] = await Promise.all([
        consume("errors", script, "error"),
        consume("all", script, "info", "warning", "error"),
      ]);
      await produce("emit-log", "04-routing/emit-log.ts", "info", "all is well");
      await produce("emit-log", "04-routing/emit-log.ts", "error", "disk full");
      await allPrint([all], "[x] info: 'all is well'");
      await allPrint([errors, all], "[x] error: 'disk full'");
      if (errors.stdout.includes("[x] info: 'all is well'")) {
        throw new Error("errors got an info");
      }
    },
  },
  {
    title: "5  Topics",
    page: "05-topics/README.md",
    picture: [
      `${P("emit-log")} ──→ ${X("topic_logs")} ─┬─ kern.* ─────→ ` +
      `${Q("a queue")} ──→ ${C("kern.*")}`,
      `                         ├─ #.critical ─→ ${Q("a queue")} ──→ ${
        C("#.critical")
      }`,
      `                         └─ # ──────────→ ${Q("a queue")} ──→ ${C("#")}`,
    ],
    description: [
      "In a pattern, * matches exactly one word and # matches zero or more words.",
      "The routing key kern.critical matches all three patterns.",
    ],
    async play() {
      const script = "05-topics/receive-logs.ts";
      const [kern, critical, all] = await Promise.all([
        consume("kern.*", script, "kern.*"),
        consume("#.critical", script, "#.critical"),
        consume("#", script, "#"),
      ]);
      const emitLog = "05-topics/emit-log.ts";
      await produce("emit-log", emitLog, "app.db.critical", "no connection");
      await produce("emit-log", emitLog, "kern.critical", "a kernel error");
      await allPrint([kern, critical, all], "[x] kern.critical: 'a kernel error'");
      await allPrint([critical, all], "[x] app.db.critical: 'no connection'");
      if (kern.stdout.some((line) => line.includes("app.db"))) {
        throw new Error("kern.* got a message of app.db");
      }
    },
  },
  {
    title: "6  RPC",
    page: "06-rpc/README.md",
    picture: [
      `${P("client")} ──→ ${Q("rpc_queue")} ──→ ${C("server")}`,
      `   ↑                       │`,
      `   └─── ${Q("callback queue")} ←───┘`,
    ],
    description: [
      "Three requests are outstanding at once. The replies arrive in one callback",
      "queue, and their correlation ids match them to the requests.",
    ],
    async play() {
      await consume("server", "06-rpc/server.ts");
      const script = "06-rpc/client.ts";
      const client = await start("producer", "client", script, "30", "10", "200");
      await end(client);
      await client.prints("[.] Got 832040");
      await client.prints("[.] Got 55");
      await client.prints("[.] Got 280571172992510140037611932413038677189525");
    },
  },
];

const { _: numbers, step } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage(
    "Usage: npm start -- [lesson..]\n\nPlays the lessons on a private RabbitMQ node.",
  )
  .example("npm start -- 5", "plays lesson 5 only")
  .example("npm start -- --step", "waits for you to read")
  .option("step", { type: "boolean", describe: "Wait for Enter between lessons" })
  .check(({ _ }) => _.every((n) => /^[1-6]$/.test(`${n}`)) || "The lessons are 1 to 6")
  .parseSync();

const chosen = lessons.filter((_, i) =>
  numbers.length === 0 || numbers.some((n) => Number(n) === i + 1)
);
const [first] = chosen;
const runtime = process.versions.deno ? "deno" : "tsx";
/** The command before the name of a script; -NER is --allow-net --allow-env --allow-read. */
const typed = runtime === "deno" ? "deno run -NER" : "npx tsx";
/** The keyboard, for --step. Without a terminal, nobody can press Enter. */
const keyboard = step && process.stdin.isTTY
  ? createInterface({ input: process.stdin })
  : undefined;
const enter = keyboard?.[Symbol.asyncIterator]();
const stopping = new AbortController();
onStopSignal(() => {
  stopping.abort();
  keyboard?.close();
  running.forEach((program) => program.signal("SIGINT"));
}, () => running.forEach((program) => program.signal("SIGKILL")));

/** The running programs of the current lesson. */
let running: Program[] = [];
/** Whether the note has been printed. */
let isNotePrinted = false;
let broker: Broker | undefined;
let virtualHost: string | undefined;
const results: string[] = [];
let exitCode = 0;
try {
  console.log("Starting RabbitMQ ...");
  broker = await getBroker(stopping.signal);
  if (!broker.node) {
    const { host } = new URL(broker.url);
    console.log(`RabbitMQ is not installed; using the broker at ${host}.`);
  }
  virtualHost = await createVirtualHost(broker);
  console.log(
    `The path of a message: ${P("producer")} ──→ ${X("exchange")} ──→ ` +
      `${Q("queue")} ──→ ${C("consumer")}`,
  );
  if (step && !enter) {
    console.log("Standard input is not a terminal, so --step does not wait.");
  }
  for (const lesson of chosen) {
    if (lesson !== first && enter) {
      console.log(dim("\nPress Enter for the next lesson ..."));
      await enter.next(); // Also resolves on Ctrl-D, and when the terminal is closed.
      stopping.signal.throwIfAborted();
    }
    const problem = await playLesson(lesson);
    stopping.signal.throwIfAborted();
    if (problem) {
      exitCode = 1;
      console.error(`[!] ${problem}`);
    }
    results.push(`${lesson.title.padEnd(20)} ${problem ? "failed" : "ok"}`);
  }
  console.log(`\n${rule("Results")}\n\n${results.join("\n")}`);
  if (exitCode === 0) {
    const page = bold(first?.page ?? "");
    if (broker.node) {
      const command = runtime === "deno" ? "deno task broker" : "npm run broker";
      console.log("\nYour turn. Start a broker in one terminal:");
      console.log(`   ${bold(command)}`);
      console.log(`In other terminals, run the commands in ${page}`);
    } else {
      console.log(`\nYour turn. Run the commands in ${page}`);
    }
  }
} catch (error) {
  exitCode = 1;
  if (!stopping.signal.aborted) {
    console.error(`[!] ${error instanceof Error ? error.message : error}`);
  }
}
if (broker) await leaveBroker(broker);
process.exit(stopping.signal.aborted ? 1 : exitCode);

/** Plays a lesson, and returns what went wrong, if anything did. */
async function playLesson(lesson: Lesson): Promise<string | undefined> {
  console.log(`\n${rule(lesson.title)}\n`);
  for (const line of lesson.picture) console.log(`   ${line}`);
  console.log();
  for (const line of lesson.description) console.log(`   ${line}`);
  console.log();
  let problem: string | undefined;
  try {
    await timeToRead(2000);
    await lesson.play();
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  // Stop what is still running as a person would. It should exit with code 0.
  for (const code of await Promise.all(running.map((program) => program.stop()))) {
    if (code !== 0) problem ??= `a script exited with code ${code}`;
  }
  running = [];
  return problem;
}

/** Starts a script, and prints its command line and its output, prefixed with its name. */
async function start(
  role: Role,
  name: string,
  script: string,
  ...args: string[]
): Promise<Program> {
  const label = painted(role, name.padEnd(10));
  const words = args.map((arg) => /^[\w.-]+$/.test(arg) ? arg : `"${arg}"`);
  console.log(`${label} ${dim("$")} ${bold([typed, script, ...words].join(" "))}`);
  await timeToRead(400);
  const program = runScript(runtime, script, args, {
    env: { AMQP_URL: virtualHost ?? "" },
    onLine: (line) => console.log(`${label} ${dim("|")} ${line}`),
  });
  running.push(program);
  return program;
}

/** Starts a consumer, and waits until it is ready. */
async function consume(
  name: string,
  script: string,
  ...args: string[]
): Promise<Program> {
  const program = await start("consumer", name, script, ...args);
  await program.prints(/^\[[*x]\] A?[Ww]aiting /);
  return program;
}

/** Runs a producer until it exits. */
async function produce(name: string, script: string, ...args: string[]): Promise<void> {
  if (running.length > 0 && !isNotePrinted) {
    console.log(NOTE);
    isNotePrinted = true;
  }
  await end(await start("producer", name, script, ...args));
}

/** Waits until a script exits. */
async function end(program: Program): Promise<void> {
  if (await program.exitCode !== 0) throw new Error("a script failed");
}

/** Waits until each of the programs has printed a line. */
async function allPrint(programs: Program[], line: string): Promise<void> {
  await Promise.all(programs.map((program) => program.prints(line)));
}

/** Waits until one of the programs has printed a line. */
async function onePrints(programs: Program[], line: string): Promise<void> {
  await Promise.any(programs.map((program) => program.prints(line))).catch(() => {
    throw new Error(`no program printed ${line}`);
  });
}

/** A heading with a line across the terminal. */
function rule(title: string): string {
  return `${dim("──")} ${bold(title)} ${dim("─".repeat(68 - title.length))}`;
}

/** Gives a person time to read, unless the output goes to a pipe or a file. */
async function timeToRead(ms: number): Promise<void> {
  if (process.stdout.isTTY) {
    await setTimeout(ms, undefined, { signal: stopping.signal });
  }
}
