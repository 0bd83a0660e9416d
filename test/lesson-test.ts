/** What the tests of the lessons have in common: scripts run as a reader runs them, in a virtual host of their own. */
import { connect } from "amqplib";
import { describe, inject, test } from "vitest";
import { createVirtualHost, deleteVirtualHost } from "../scripts/broker-to-use.ts";
import { type Program, type ProgramOptions, runScript, type Runtime } from "../scripts/program.ts";

/** What the scripts print when they are ready. */
export const WAITING_FOR_MESSAGES = "[*] Waiting for messages. To exit press CTRL+C";
export const WAITING_FOR_LOGS = "[*] Waiting for logs. To exit press CTRL+C";
export const AWAITING_REQUESTS = "[x] Awaiting RPC requests";

/** What a test gets. */
export interface LessonFixtures {
  /** A virtual host of the test's own, as an address; deleted after the test. */
  virtualHost: string;
  /** Starts a script on it. What still runs after the test is killed. */
  run(script: string, ...args: string[]): Program;
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
  const runtimes: Runtime[] = ["tsx", "deno"];
  for (const runtime of runtimes) describe(`${name}, on ${runtime}`, () => define(lessonTest(runtime)));
}

/** Vitest's `test`, with {@linkcode LessonFixtures} for a runtime. https://vitest.dev/guide/test-context */
function lessonTest(runtime: Runtime) {
  return test.extend<LessonFixtures>({
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
      for (const program of programs) program.signal("SIGKILL");
      await Promise.all(programs.map((program) => program.exitCode));
    },
    run: async ({ runWith }, use) => {
      await use((script, ...args) => runWith({}, script, ...args));
    },
  });
}

/**
 * How many messages wait on a queue; those that a consumer holds unacknowledged are not among them.
 *
 * @param url the address of the virtual host
 * @param queue the name of the queue
 */
export async function messagesOn(url: string, queue: string): Promise<number> {
  const connection = await connect(url);
  try {
    const channel = await connection.createChannel();
    return (await channel.checkQueue(queue)).messageCount;
  } finally {
    await connection.close();
  }
}
