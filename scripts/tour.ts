/** npm start: plays the six lessons, with the real scripts on a real broker. */
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { styleText } from "node:util";
import yargs from "yargs";
import { warn } from "../shared/errors.ts";
import {
  type Broker,
  createVirtualHost,
  getBroker,
  leaveBroker,
} from "./lib/broker-to-use.ts";
import { stopSignal } from "./lib/clean-up.ts";
import { type Program, runScript } from "./lib/program.ts";

interface Lesson {
  /** The path of a message as a picture, and what to look for in the output. */
  text: string;
  /** Producers run until they end; consumers are started, and wait for messages. */
  steps: [what: "run" | "start", name: string, script: string, ...args: string[]][];
  /** How many lines its consumers print together after their first ones. */
  receives: number;
}

const lessons: Record<string, Lesson> = {
  "1  Hello World": {
    text: `
   (send) ─→ {default exchange} ─→ [hello] ─→ (receive)

   No consumer is running when the message is sent. The message waits in
   the queue until one starts.`,
    steps: [
      ["run", "send", "01-hello/send.ts"],
      ["start", "receive", "01-hello/receive.ts"],
    ],
    receives: 1,
  },
  "2  Work queues": {
    text: `
   (new-task) ─→ {default exchange} ─→ [task_queue] ─┬─→ (worker 1)
                                                     └─→ (worker 2)

   Two workers share the tasks. The worker with the long task gets no other
   task until it has finished.`,
    steps: [
      ["start", "worker 1", "02-work-queues/worker.ts"],
      ["start", "worker 2", "02-work-queues/worker.ts"],
      ["run", "new-task", "02-work-queues/new-task.ts", "a long task......"],
      ["run", "new-task", "02-work-queues/new-task.ts", "first."],
      ["run", "new-task", "02-work-queues/new-task.ts", "second."],
    ],
    receives: 6, // "Received" and "Done".
  },
  "3  Publish/Subscribe": {
    text: `
   (emit-log) ─→ {logs} ─┬─→ [a queue] ─→ (logs 1)
                         └─→ [a queue] ─→ (logs 2)

   Each subscriber has its own queue and gets a copy of every message.`,
    steps: [
      ["start", "logs 1", "03-pubsub/receive-logs.ts"],
      ["start", "logs 2", "03-pubsub/receive-logs.ts"],
      ["run", "emit-log", "03-pubsub/emit-log.ts"],
    ],
    receives: 2,
  },
  "4  Routing": {
    text: `
   (emit-log) ─→ {direct_logs} ─┬─ error ────────────────→ [a queue] ─→ (errors)
                                └─ info, warning, error ─→ [a queue] ─→ (all)

   One consumer wants errors, the other wants everything. Each receives
   only the messages that match its bindings.`,
    steps: [
      ["start", "errors", "04-routing/receive-logs.ts", "error"],
      ["start", "all", "04-routing/receive-logs.ts", "info", "warning", "error"],
      ["run", "emit-log", "04-routing/emit-log.ts", "info", "all is well"],
      ["run", "emit-log", "04-routing/emit-log.ts", "error", "disk full"],
    ],
    receives: 3,
  },
  "5  Topics": {
    text: `
   (emit-log) ─→ {topic_logs} ─┬─ kern.* ─────→ [a queue] ─→ (kern.*)
                               ├─ #.critical ─→ [a queue] ─→ (#.critical)
                               └─ # ──────────→ [a queue] ─→ (#)

   In a pattern, * matches exactly one word and # matches zero or more words.
   The routing key kern.critical matches all three patterns.`,
    steps: [
      ["start", "kern.*", "05-topics/receive-logs.ts", "kern.*"],
      ["start", "#.critical", "05-topics/receive-logs.ts", "#.critical"],
      ["start", "#", "05-topics/receive-logs.ts", "#"],
      ["run", "emit-log", "05-topics/emit-log.ts", "app.db.critical", "no connection"],
      ["run", "emit-log", "05-topics/emit-log.ts", "kern.critical", "a kernel error"],
    ],
    receives: 5,
  },
  "6  RPC": {
    text: `
   (client) ─→ {default exchange} ─→ [rpc_queue] ─→ (server)
      ↑                                                │
      └── [callback queue] ←─ {default exchange} ←─────┘

   Three requests are outstanding at once. The replies arrive in one callback
   queue, and their correlation ids match them to the requests.`,
    steps: [
      ["start", "server", "06-rpc/server.ts"],
      ["run", "client", "06-rpc/client.ts", "30", "10", "200"],
    ],
    receives: 3,
  },
};

/** Colors that are legible on light and on dark backgrounds. */
const colors = {
  producer: "blueBright",
  exchange: "magentaBright",
  queue: "yellow",
  consumer: "green",
} as const;
// On Node 20, styleText() ignores NO_COLOR and FORCE_COLOR if it gets several formats.
const bold = (text: string) => styleText("bold", text);
const dim = (text: string) => styleText("dim", text);

const { _: numbers, step } = yargs(process.argv.slice(2)).locale("en").strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false }).version(false)
  .usage(
    "Usage: npm start -- [lesson..] [--step]\n\n" +
      "Plays the lessons (default: all six) on a private RabbitMQ node. If RabbitMQ is\n" +
      "not installed, it uses the broker at AMQP_URL (default: amqp://localhost).",
  )
  .option("step", { type: "boolean", describe: "Wait for Enter between lessons" })
  .check(({ _ }) => _.every((n) => /^[1-6]$/.test(`${n}`)) || "The lessons are 1 to 6")
  .parseSync();

const chosen = Object.entries(lessons).filter(([title]) =>
  numbers.length === 0 || numbers.includes(title.slice(0, 1))
);
const isDeno = Boolean(process.versions.deno);
/** The keyboard, for --step. Without a terminal, nobody can press Enter. */
const keyboard = step && process.stdin.isTTY
  ? createInterface({ input: process.stdin })
  : undefined;
const enter = keyboard?.[Symbol.asyncIterator]();
/** The programs of the current lesson, and those that are its consumers. */
let programs: Program[] = [];
let consumers: Program[] = [];
const signal = stopSignal();
signal.addEventListener("abort", () => {
  keyboard?.close();
  for (const program of programs) program.signal("SIGINT");
});

let broker: Broker | undefined;
let exitCode = 0;
try {
  console.log("Starting RabbitMQ ...");
  broker = await getBroker(signal);
  if (broker.where) {
    console.log(`RabbitMQ is not installed; using the broker at ${broker.where}.`);
  }
  if (step && !enter) {
    console.log("Standard input is not a terminal, so --step does not wait.");
  }
  console.log(painted("(producer) ─→ {exchange} ─→ [queue] ─→ (consumer)"));
  console.log('A producer prints "[x] Sent" when RabbitMQ has confirmed the message.');
  console.log("By then, a consumer may already have received it.");
  const virtualHost = await createVirtualHost(broker);
  for (const [i, [title, lesson]] of chosen.entries()) {
    if (i > 0 && enter) {
      console.log(dim("\nPress Enter for the next lesson ..."));
      await enter.next(); // Also resolves on Ctrl-D, and when the terminal is closed.
    }
    await play(title, lesson, virtualHost);
  }
  const page = chosen[0]?.[1].steps[0]?.[2].replace(/[^/]*$/, "README.md") ?? "";
  const command = isDeno ? "deno task broker" : "npm run broker";
  console.log(`\n${dim("─".repeat(72))}\n\nYour turn.`);
  if (broker.stop) console.log(`In one terminal, run a broker: ${bold(command)}`);
  console.log(`${broker.stop ? "In others, run" : "Run"} the commands in ${page}`);
} catch (error) {
  exitCode = 1;
  if (!signal.aborted) warn(error instanceof Error ? error.message : String(error));
}
for (const program of programs) program.signal("SIGKILL");
if (broker) await leaveBroker(broker);
process.exit(exitCode);

/** Plays a lesson. Throws an error if a script fails, or if a message does not arrive. */
async function play(title: string, lesson: Lesson, AMQP_URL: string): Promise<void> {
  const { text, steps, receives } = lesson;
  signal.throwIfAborted();
  console.log(`\n${dim("──")} ${bold(title)} ${dim("─".repeat(68 - title.length))}\n`);
  console.log(`${painted(text.slice(1))}\n`);
  await timeToRead(2000);
  programs = [];
  consumers = [];
  for (const step of steps) await run(step, AMQP_URL);
  const received = () => consumers.flatMap(({ stdout }) => stdout.slice(1)).length;
  for (let i = 0; i < 400 && received() < receives; i++) {
    await sleep(50, undefined, { signal });
  }
  if (received() !== receives) {
    throw new Error(
      `The consumers printed ${received()} lines instead of ${receives}.`,
    );
  }
  // Stop what is still running as a person would. It should exit with code 0.
  for (const program of programs) program.signal("SIGINT");
  for (const program of programs) await program.exits(0);
}

/** Starts a script, and waits until a consumer is ready or a producer has ended. */
async function run(
  [what, name, script, ...args]: Lesson["steps"][number],
  AMQP_URL: string,
): Promise<void> {
  const color = what === "run" ? colors.producer : colors.consumer;
  const label = bold(styleText(color, name.padEnd(10)));
  const words = args.map((arg) => /^[\w.-]+$/.test(arg) ? arg : `"${arg}"`);
  const runner = isDeno ? "deno run -NER" : "npx tsx"; // -N: --allow-net, and so on.
  console.log(`${label} ${dim("$")} ${bold([runner, script, ...words].join(" "))}`);
  await timeToRead(400);
  const onLine = (line: string) => console.log(`${label} ${dim("|")} ${line}`);
  const program = runScript(isDeno ? "deno" : "tsx", script, args, {
    env: { AMQP_URL },
    onLine,
  });
  programs.push(program);
  if (what === "run") {
    if (await program.exitCode !== 0) throw new Error(`${name} has failed.`);
  } else {
    consumers.push(program);
    await program.prints(/^\[[*x]\] (Waiting|Awaiting) /);
  }
}

/** Colors a picture. The program that begins a line is the producer. */
function painted(picture: string): string {
  const color = (role: keyof typeof colors) => (name: string) =>
    bold(styleText(colors[role], name));
  return picture.replace(/^ *\(.*?\)/gm, color("producer"))
    .replace(/\{.*?\}/g, color("exchange"))
    .replace(/\[[a-z].*?\]/g, color("queue")) // Not "[" in an escape code.
    .replace(/(?<=→ )\(.*?\)/g, color("consumer"));
}

/** Gives a person time to read, unless the output goes to a pipe or a file. */
async function timeToRead(ms: number): Promise<void> {
  if (process.stdout.isTTY) await sleep(ms, undefined, { signal });
}
