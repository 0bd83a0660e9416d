/** What the tests of the lessons have in common: scripts run as a reader runs them, in a virtual host of their own. */
import { type ConfirmChannel, connect } from "amqplib";
import { describe, inject, onTestFinished, test } from "vitest";
import {
  createVirtualHost,
  deleteVirtualHost,
} from "../../scripts/lib/broker-to-use.ts";
import { findRabbitMQ } from "../../scripts/lib/rabbitmq-node.ts";
import {
  Program,
  type ProgramOptions,
  runScript,
  type Runtime,
  runtimes,
} from "../../scripts/lib/program.ts";
import { runtimesToTest } from "./runtimes.ts";

/** What the scripts print when they are ready. */
export const WAITING_FOR_MESSAGES = "[*] Waiting for messages. To exit press CTRL+C";
export const WAITING_FOR_LOGS = "[*] Waiting for logs. To exit press CTRL+C";
export const waitingForLogsOf = (...what: string[]) =>
  `[*] Waiting for logs of ${what.join(", ")}. To exit press CTRL+C`;
export const AWAITING_REQUESTS = "[x] Awaiting RPC requests";

/** The settings of the lessons' queues, for tests that declare one. */
export const QUORUM = { durable: true, arguments: { "x-queue-type": "quorum" } };

/** What a test gets. */
export interface LessonFixtures {
  /** The runtime that it is run with. */
  runtime: Runtime;
  /** A virtual host of the test's own, as an address; deleted after the test. */
  virtualHost: string;
  /** Starts a script on it. What still runs after the test is killed. */
  run(script: string, ...args: string[]): Program;
  /** The same, twice: the second when the first has printed that it is ready. */
  runTwo(script: string, ready: string): Promise<Program[]>;
  /** The same, with its output piped into a shell command. */
  pipe(into: string, script: string, ...args: string[]): Program;
  /** The same, with an environment or a folder for it. */
  runWith(options: ProgramOptions, script: string, ...args: string[]): Program;
}

/** A test of a lesson. */
export type LessonTest = ReturnType<typeof lessonTest>;

/**
 * Defines the same tests for every runtime.
 *
 * @param name what they are about
 * @param define defines them with the `test` that it is given
 */
export function onEveryRuntime(name: string, define: (test: LessonTest) => void): void {
  for (const runtime of runtimesToTest) {
    describe(`${name}, on ${runtime}`, () => define(lessonTest(runtime)));
  }
}

/**
 * Defines tests that start a node of their own: to stop it, or to set it up otherwise. Where RabbitMQ is not installed
 * they are skipped, and their name says why.
 *
 * @param name what they are about
 * @param define defines them with the folder of RabbitMQ's programs
 */
export function withOwnNode(name: string, define: (programs: string) => void): void {
  const programs = findRabbitMQ();
  if (programs) describe(name, () => define(programs));
  else {describe.skip(`${name} (skipped: it needs a broker of its own, and RabbitMQ is not installed)`, () =>
      define(""));}
}

/** Vitest's `test`, with {@linkcode LessonFixtures} for a runtime. https://vitest.dev/guide/test-context */
function lessonTest(runtime: Runtime) {
  return test.extend<LessonFixtures>({
    runtime,
    // deno-lint-ignore no-empty-pattern -- vitest reads from this pattern which fixtures a fixture needs: none
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
 * Has a program killed after the test, if it still runs then.
 *
 * @param program the program
 * @returns the same
 */
export function untilTestEnds(program: Program): Program {
  onTestFinished(() => killAll([program]));
  return program;
}

/** Ends what still runs, and waits until it has ended. */
async function killAll(programs: Program[]): Promise<void> {
  for (const program of programs) program.signal("SIGKILL");
  await Promise.all(programs.map((program) => program.exitCode));
}

/**
 * Opens a channel for what no lesson does: publish what it would not, declare otherwise, look into a queue.
 *
 * @param url the address of the virtual host
 * @param work what to do with the channel
 * @returns what `work` returns
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
 * How many messages wait on a queue; those that a consumer holds unacknowledged are not among them.
 *
 * @param url the address of the virtual host
 * @param queue the name of the queue
 */
export function messagesOn(url: string, queue: string): Promise<number> {
  return onChannel(
    url,
    async (channel) => (await channel.checkQueue(queue)).messageCount,
  );
}

/**
 * How often workers with prefetch 1 have done a task: received it, and said so when it was done.
 *
 * @param workers the workers
 * @param task the text of the task
 */
export function timesDone(workers: Program[], task: string): number {
  const times = workers.map(({ stdout }) =>
    stdout.filter((line, i) =>
      line === `[x] Received '${task}'` && stdout[i + 1] === "[x] Done"
    ).length
  );
  return times.reduce((sum, n) => sum + n);
}
