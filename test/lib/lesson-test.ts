/** Tests that run scripts as a reader does, each in its own virtual host. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setInterval } from "node:timers/promises";
import * as vitest from "vitest";
import { describe, expect, inject, onTestFinished } from "vitest";
import * as brokers from "../../scripts/lib/broker-to-use.ts";
import { runAfterExit } from "../../scripts/lib/clean-up.ts";
import { findRabbitMQ } from "../../scripts/lib/find-rabbitmq.ts";
import type { Program, ProgramOptions, Runtime } from "../../scripts/lib/program.ts";
import { root, runScript } from "../../scripts/lib/program.ts";
import { READY } from "./consumers.ts";
import { freePort } from "./ports.ts";
import { quickRuntime, runtimesToTest } from "./runtimes.ts";
import { startTestNode, type TestNode } from "./test-node.ts";

/** The lines that the consumers print when they are ready. */
export const WAITING_FOR_MESSAGES = "[*] Waiting for messages. To exit press CTRL+C";
export const WAITING_FOR_LOGS = "[*] Waiting for logs. To exit press CTRL+C";
export const AWAITING_REQUESTS = "[x] Awaiting RPC requests";

/** What a test can use. */
export interface LessonFixtures {
  /** The runtime of the scripts. */
  runtime: Runtime;
  /** The address of a virtual host, deleted after the test. */
  virtualHost: string;
  /** Starts a script on the virtual host. If it is still running after the test, it is killed. */
  run(script: string, ...args: string[]): Program;
  /** Starts a script with other environment variables or another working directory. */
  runWith(options: ProgramOptions, script: string, ...args: string[]): Program;
  /** Starts a consumer on the virtual host, and waits until it is ready. */
  consume(script: string, ...args: string[]): Promise<Program>;
}

/** Vitest's `test`, with {@linkcode LessonFixtures}. https://vitest.dev/guide/test-context */
function lessonTest(broker: () => brokers.Broker, runtime = quickRuntime) {
  return vitest.test.extend<LessonFixtures>({
    // deno-lint-ignore no-empty-pattern -- vitest reads the names of fixtures from it: none
    runtime: ({}, use) => use(runtime),
    // deno-lint-ignore no-empty-pattern -- as above
    virtualHost: async ({}, use) => {
      const url = await brokers.createVirtualHost(broker());
      await use(url);
      await brokers.deleteVirtualHost(broker(), url).catch(() => {}); // Or a test has.
    },
    runWith: async ({ virtualHost, runtime }, use) => {
      const programs: Program[] = [];
      await use(({ env, ...options }, script, ...args) => {
        const all = { ...options, env: { AMQP_URL: virtualHost, ...env } };
        const program = runScript(runtime, script, args, all);
        programs.push(program);
        return program;
      });
      await Promise.all(programs.map(kill));
    },
    run: async ({ runWith }, use) => {
      await use((script, ...args) => runWith({}, script, ...args));
    },
    consume: async ({ run }, use) => {
      await use(async (script, ...args) => {
        const program = run(script, ...args);
        await program.prints(READY);
        return program;
      });
    },
  });
}

/** Defines tests on {@linkcode quickRuntime}. */
export const test = lessonTest(() => inject("broker"));
export type LessonTest = typeof test;

/** Defines the same tests for every runtime. */
export function onEveryRuntime(name: string, define: (test: LessonTest) => void): void {
  for (const runtime of runtimesToTest) {
    const onRuntime = lessonTest(() => inject("broker"), runtime);
    describe(`${name}, on ${runtime}`, () => define(onRuntime));
  }
}

/**
 * Defines tests that start RabbitMQ. Where it is not installed, they are skipped, and their
 * name says why. The function gets the folder of RabbitMQ's programs.
 */
export function whereInstalled(name: string, define: (programs: string) => void): void {
  const programs = findRabbitMQ();
  const why = programs ? "" : " (skipped: RabbitMQ is not installed here)";
  describe.skipIf(!programs)(name + why, () => define(programs ?? ""));
}

/** Defines tests on a private node with these settings, which they may stop and configure. */
export function withOwnNode(
  name: string,
  options: Omit<Parameters<typeof startTestNode>[0], "programs" | "port">,
  define: (test: LessonTest, node: () => TestNode) => void,
): void {
  whereInstalled(name, (programs) => {
    let node: TestNode | undefined;
    const running = () => node ?? expect.unreachable("the node is not running");
    vitest.beforeAll(async () => {
      node = await startTestNode({ ...options, programs, port: await freePort() });
    });
    vitest.afterAll(() => node?.stop());
    define(lessonTest(() => ({ ...running(), prefix: "by-example-" })), running);
  });
}

/** Kills a program after the test, if it is still running. */
export function untilTestEnds(program: Program): Program {
  onTestFinished(() => kill(program));
  return program;
}

/** Kills a program (-9), if it is still running. */
export async function kill(program: Program): Promise<void> {
  program.signal("SIGKILL");
  await program.exitCode;
}

/**
 * Waits until a program has ended with the exit code 1, and with these lines and no others
 * on standard error. Returns those on standard output.
 */
export async function fails(program: Program, ...lines: (string | RegExp)[]) {
  await program.exits(1, 10);
  const expected = lines.map((line) =>
    typeof line === "string" ? line : expect.stringMatching(line)
  );
  expect(program.stderr).toEqual(expected);
  return program.stdout;
}

/**
 * Runs `npm run broker` on a port. Its data is removed, and it is killed if it is still
 * running, when the file of tests has ended, however it ends.
 */
export function runBroker(port: number, ...options: string[]): Program {
  const data = join(root, ".rabbitmq");
  runAfterExit(`rm -rf '${data}/${port}' '${data}/cluster-${port}'`);
  return runScript("tsx", "scripts/broker.ts", ["--port", `${port}`, ...options]);
}

/** Waits until no process has a text in its environment or on its command line. */
export async function noProcessOf(text: string): Promise<void> {
  for await (const _ of setInterval(50)) if (processesOf(text).length === 0) return;
}

/** Lists the processes that have a text in their environment or on their command line. */
export function processesOf(text: string): string[] {
  const lines = execFileSync("ps", ["axeww"], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line.includes(text));
}
