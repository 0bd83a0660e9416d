/**
 * Plays the six lessons, one after the other, with the real scripts on a real broker.
 *
 *     npm start
 *     npm start -- 5      (one lesson)
 */
import process from "node:process";
import yargs from "yargs";
import { onStopSignal } from "../shared/leaving.ts";
import {
  type Broker,
  createVirtualHost,
  getBroker,
  leaveBroker,
} from "./lib/broker-to-use.ts";
import { type Program, runScript, type Runtime, runtimes } from "./lib/program.ts";

interface Lesson {
  title: string;
  look: string;
  play(): Promise<void>;
}

const lessons: Lesson[] = [
  {
    title: "1  Hello World",
    look:
      "Nobody is there when the message is sent. It waits on its queue until a consumer comes.",
    async play() {
      await done(run("send", "01-hello/send.ts"));
      await run("receive", "01-hello/receive.ts").prints("[x] Received 'Hello World!'");
    },
  },
  {
    title: "2  Work queues",
    look:
      "Two workers share the tasks. The one with the long task gets no other until it is done.",
    async play() {
      const workers: Program[] = [];
      for (const name of ["worker 1", "worker 2"]) {
        const worker = run(name, "02-work-queues/worker.ts");
        await worker.prints("[*] Waiting for messages. To exit press CTRL+C");
        workers.push(worker);
      }
      for (const task of ["a long task....", "first.", "second."]) {
        await done(run("new-task", "02-work-queues/new-task.ts", task));
      }
      await Promise.all(workers.map((worker) => worker.prints("[x] Done")));
      const busy = workers.find((worker) =>
        worker.stdout.includes("[x] Received 'a long task....'")
      );
      const other = workers.find((worker) => worker !== busy);
      await other?.prints("[x] Done", 2);
    },
  },
  {
    title: "3  Publish/Subscribe",
    look: "Every subscriber gets a copy of its own.",
    async play() {
      const subscribers = [
        run("logs 1", "03-pubsub/receive-logs.ts"),
        run("logs 2", "03-pubsub/receive-logs.ts"),
      ];
      await Promise.all(
        subscribers.map((logs) =>
          logs.prints("[*] Waiting for logs. To exit press CTRL+C")
        ),
      );
      await done(run("emit-log", "03-pubsub/emit-log.ts"));
      await Promise.all(
        subscribers.map((logs) => logs.prints("[x] 'info: Hello World!'")),
      );
    },
  },
  {
    title: "4  Routing",
    look:
      "One asks for errors, the other for everything: each gets what it has bound, and no more.",
    async play() {
      const errors = run("errors", "04-routing/receive-logs.ts", "error");
      const all = run("all", "04-routing/receive-logs.ts", "info", "warning", "error");
      await Promise.all(
        [errors, all].map((logs) =>
          logs.prints("[*] Waiting for logs. To exit press CTRL+C")
        ),
      );
      await done(run("emit-log", "04-routing/emit-log.ts", "info", "all is well"));
      await done(run("emit-log", "04-routing/emit-log.ts", "error", "disk full"));
      await all.prints("[x] info: 'all is well'");
      await Promise.all(
        [errors, all].map((logs) => logs.prints("[x] error: 'disk full'")),
      );
      if (errors.stdout.includes("[x] info: 'all is well'")) {
        throw new Error("errors got an info");
      }
    },
  },
  {
    title: "5  Topics",
    look:
      "* is one word, # is any number of them: kern.critical fits all three patterns.",
    async play() {
      const kern = run("kern.*", "05-topics/receive-logs.ts", "kern.*");
      const critical = run("#.critical", "05-topics/receive-logs.ts", "#.critical");
      const all = run("#", "05-topics/receive-logs.ts", "#");
      const everybody = [kern, critical, all];
      await Promise.all(
        everybody.map((logs) =>
          logs.prints("[*] Waiting for logs. To exit press CTRL+C")
        ),
      );
      await done(
        run("emit-log", "05-topics/emit-log.ts", "app.db.critical", "no connection"),
      );
      await done(
        run("emit-log", "05-topics/emit-log.ts", "kern.critical", "a kernel error"),
      );
      await Promise.all(
        everybody.map((logs) => logs.prints("[x] kern.critical: 'a kernel error'")),
      );
      await Promise.all(
        [critical, all].map((logs) =>
          logs.prints("[x] app.db.critical: 'no connection'")
        ),
      );
      if (kern.stdout.some((line) => line.includes("app.db"))) {
        throw new Error("kern.* got a message of app.db");
      }
    },
  },
  {
    title: "6  RPC",
    look:
      "Three requests at once over one callback queue; the correlation ids tell the answers apart.",
    async play() {
      await run("server", "06-rpc/server.ts").prints("[x] Awaiting RPC requests");
      const client = run("client", "06-rpc/client.ts", "30", "10", "300");
      await client.prints("[.] Got 832040");
      await client.prints("[.] Got 55");
      await client.prints(/^\[\.\] Got 22223224462942\d{49}$/);
      await done(client);
    },
  },
];

const { _: numbers } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage(
    "Usage: npm start -- [lesson..]\n\nPlays the lessons on a RabbitMQ of its own.",
  )
  .example("npm start -- 5", "plays lesson 5 only")
  .check(({ _ }) => _.every((n) => /^[1-6]$/.test(`${n}`)) || "The lessons are 1 to 6")
  .parseSync();

const chosen = lessons.filter((_, i) =>
  numbers.length === 0 || numbers.some((n) => Number(n) === i + 1)
);
const runtime: Runtime = process.versions.deno ? "deno" : "tsx";
const stopping = new AbortController();
onStopSignal(() => {
  stopping.abort();
  cast.forEach((program) => program.signal("SIGINT"));
}, () => cast.forEach((program) => program.signal("SIGKILL")));

/** The programs of the lesson that is being played. */
let cast: Program[] = [];
let broker: Broker | undefined;
let virtualHost: string | undefined;
const results: string[] = [];
let exitCode = 0;
try {
  console.log("Starting RabbitMQ ...");
  broker = await getBroker(stopping.signal);
  if (!broker.node) {
    console.log(
      `RabbitMQ is not installed here; taking the broker at ${
        new URL(broker.url).host
      }.`,
    );
  }
  virtualHost = await createVirtualHost(broker);
  for (const lesson of chosen) {
    const problem = await perform(lesson);
    if (stopping.signal.aborted) break;
    if (problem) exitCode = 1;
    results.push(`${lesson.title.padEnd(20)} ${problem ?? "ok"}`);
  }
  console.log(`\n${results.join("\n")}`);
} catch (error) {
  exitCode = 1;
  if (!stopping.signal.aborted) {
    console.error(`[!] ${error instanceof Error ? error.message : error}`);
  }
}
if (broker) await leaveBroker(broker);
process.exit(stopping.signal.aborted ? 1 : exitCode);

/** Plays a lesson, and returns what went wrong, if anything did. */
async function perform(lesson: Lesson): Promise<string | undefined> {
  console.log(`\n${lesson.title}\n   ${lesson.look}`);
  let problem: string | undefined;
  try {
    await lesson.play();
  } catch (error) {
    problem = String(error);
  }
  // What is still running is ended as a person would end it, and ought to end well.
  for (const program of cast) {
    const code = await program.stop();
    if (code !== 0) problem ??= `a program ended with exit code ${code}`;
  }
  cast = [];
  return problem;
}

/** Starts a script, with its command line printed, and its lines with a name before them. */
function run(name: string, script: string, ...args: string[]): Program {
  const words = args.map((arg) => /^[\w.-]+$/.test(arg) ? arg : `"${arg}"`);
  console.log(`$ ${[runtimes[runtime].typed, script, ...words].join(" ")}`);
  const onLine = (line: string) => console.log(`${name.padEnd(10)} | ${line}`);
  const program = runScript(runtime, script, args, {
    env: { AMQP_URL: virtualHost ?? "" },
    onLine,
  });
  cast.push(program);
  return program;
}

/** Waits until a script that does a thing and leaves has left. */
async function done(program: Program): Promise<void> {
  if (await program.exitCode !== 0) throw new Error("a program did not end well");
}
