/** Fixtures for tests that run scripts as a reader does, each in its own virtual host. */
import { execFileSync } from "node:child_process";
import { type ConfirmChannel, connect } from "amqplib";
import { join } from "node:path";
import { setInterval } from "node:timers/promises";
import { describe, inject, onTestFinished, test } from "vitest";
import {
  createVirtualHost,
  deleteVirtualHost,
} from "../../scripts/lib/broker-to-use.ts";
import { runAfterExit } from "../../scripts/lib/clean-up.ts";
import { findRabbitMQ } from "../../scripts/lib/rabbitmq-node.ts";
import {
  Program,
  type ProgramOptions,
  root,
  runScript,
  type Runtime,
  runtimes,
} from "../../scripts/lib/program.ts";
import { runtimesToTest } from "./runtimes.ts";

/** The lines that the consumers print when they are ready. */
export const WAITING_FOR_MESSAGES = "[*] Waiting for messages. To exit press CTRL+C";
export const WAITING_FOR_LOGS = "[*] Waiting for logs. To exit press CTRL+C";
export const waitingForLogsOf = (...what: string[]) =>
  `[*] Waiting for logs of ${what.join(", ")}. To exit press CTRL+C`;
export const AWAITING_REQUESTS = "[x] Awaiting RPC requests";

/** The settings of the lessons' queues. */
export const QUORUM = { durable: true, arguments: { "x-queue-type": "quorum" } };

/** The fixtures of a test. */
export interface LessonFixtures {
  /** The runtime of the scripts. */
  runtime: Runtime;
  /** The address of a virtual host, deleted after the test. */
  virtualHost: string;
  /** Starts a script on the virtual host. If it is still running after the test, it is killed. */
  run(script: string, ...args: string[]): Program;
  /** Starts a script twice: the second one when the first one is ready. */
  runTwo(script: string, ready: string): Promise<Program[]>;
  /** Starts a script with its output piped into a shell command. */
  pipe(into: string, script: string, ...args: string[]): Program;
  /** Starts a script with other environment variables or another working directory. */
  runWith(options: ProgramOptions, script: string, ...args: string[]): Program;
}

/** A test of a lesson. */
export type LessonTest = ReturnType<typeof lessonTest>;

/**
 * Defines the same tests for every runtime.
 *
 * @param name the subject of the tests
 * @param define defines them with the given `test`
 */
export function onEveryRuntime(name: string, define: (test: LessonTest) => void): void {
  for (const runtime of runtimesToTest) {
    describe(`${name}, on ${runtime}`, () => define(lessonTest(runtime)));
  }
}

/**
 * Defines tests that need a private node, to stop it or to configure it. If RabbitMQ is not installed, they are skipped,
 * and their name says why.
 *
 * @param name the subject of the tests
 * @param define defines them, given the folder of RabbitMQ's programs
 */
export function withOwnNode(name: string, define: (programs: string) => void): void {
  const programs = findRabbitMQ();
  if (programs) describe(name, () => define(programs));
  else {describe.skip(`${name} (skipped: it needs a private broker, and RabbitMQ is not installed)`, () =>
      define(""));}
}

/** Vitest's `test`, with {@linkcode LessonFixtures} for a runtime. https://vitest.dev/guide/test-context */
function lessonTest(runtime: Runtime) {
  return test.extend<LessonFixtures>({
    runtime,
    // deno-lint-ignore no-empty-pattern -- vitest reads the dependencies of a fixture from this pattern: none
    virtualHost: async ({}, use) => {
      const broker = inject("broker");
      const url = await createVirtualHost(broker);
      await use(url);
      await deleteVirtualHost(broker, url);
    },
    runWith: async ({ virtualHost }, use) => {
      const programs: Program[] = [];
      await use(({ env, ...options }, script, ...args) => {
        const program = runScript(runtime, script, args, {
          ...options,
          env: { AMQP_URL: virtualHost, ...env },
        });
        programs.push(program);
        return program;
      });
      await killAll(programs);
    },
    pipe: async ({ virtualHost }, use) => {
      const programs: Program[] = [];
      await use((into, script, ...args) => {
        const shell = ["bash", "-c", `set -o pipefail; "$@" | ${into}`, "bash"];
        const program = new Program([
          ...shell,
          ...runtimes[runtime].command,
          script,
          ...args,
        ], {
          env: { AMQP_URL: virtualHost },
        });
        programs.push(program);
        return program;
      });
      await killAll(programs);
    },
    run: async ({ runWith }, use) => {
      await use((script, ...args) => runWith({}, script, ...args));
    },
    runTwo: async ({ run }, use) => {
      await use(async (script, ready) => {
        const first = run(script);
        await first.prints(ready);
        const second = run(script);
        await second.prints(ready);
        return [first, second];
      });
    },
  });
}

/**
 * Kills a program after the test, if it is still running.
 *
 * @param program the program
 * @returns the program
 */
export function untilTestEnds(program: Program): Program {
  onTestFinished(() => killAll([program]));
  return program;
}

/** Kills programs, and waits until they have ended. */
async function killAll(programs: Program[]): Promise<void> {
  for (const program of programs) program.signal("SIGKILL");
  await Promise.all(programs.map((program) => program.exitCode));
}

/**
 * Opens a channel for what no lesson does, such as deleting a queue.
 *
 * @param url the address of the virtual host
 * @param work called with the channel, which is closed afterwards
 * @returns the result of `work`
 */
export async function onChannel<T>(
  url: string,
  work: (channel: ConfirmChannel) => Promise<T>,
): Promise<T> {
  const connection = await connect(url);
  try {
    return await work(await connection.createConfirmChannel());
  } finally {
    await connection.close();
  }
}

/**
 * Counts the ready messages in a queue, without the unacknowledged ones.
 *
 * @param url the address of the virtual host
 * @param queue the name of the queue
 * @returns their number
 */
export function messagesOn(url: string, queue: string): Promise<number> {
  return onChannel(
    url,
    async (channel) => (await channel.checkQueue(queue)).messageCount,
  );
}

/**
 * Counts how often workers with prefetch 1 have received a task and printed that it is done.
 *
 * @param workers the workers
 * @param task the text of the task
 * @returns the sum over all workers
 */
export function timesDone(workers: Program[], task: string): number {
  const times = workers.map(({ stdout }) =>
    stdout.filter((line, i) =>
      line === `[x] Received '${task}'` && stdout[i + 1] === "[x] Done"
    ).length
  );
  return times.reduce((sum, n) => sum + n);
}

/**
 * Runs `npm run broker` on a port. Its data is removed, and it is killed if it is still
 * running, when the file of tests has ended, however it ends.
 *
 * @param port the port
 * @param options more options
 * @returns the running script
 */
export function runBroker(port: number, ...options: string[]): Program {
  const data = join(root, ".rabbitmq");
  runAfterExit(`rm -rf '${data}/${port}' '${data}/cluster-${port}'`);
  return runScript("tsx", "scripts/broker.ts", ["--port", `${port}`, ...options]);
}

/**
 * Waits until no process has a text in its environment or on its command line.
 *
 * @param text the text, such as the name of a node
 */
export async function noProcessOf(text: string): Promise<void> {
  for await (const _ of setInterval(50)) if (processesOf(text).length === 0) return;
}

/**
 * Lists the processes that have a folder in their environment or on their command line.
 *
 * @param folder the path of the folder
 * @returns the lines of `ps`
 */
export function processesOf(folder: string): string[] {
  const lines = execFileSync("ps", ["axeww"], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line.includes(folder));
}
