/** Invalid command lines and addresses, for every script. */
import { describe, expect, test } from "vitest";
import { runScript, type Runtime } from "../scripts/lib/program.ts";
import { freePort } from "../scripts/lib/rabbitmq-node.ts";
import { onEveryRuntime, untilTestEnds } from "./lib/lesson-test.ts";
import { runtimeAt } from "./lib/runtimes.ts";

/** Every script, with its required arguments. */
const scripts: [script: string, ...args: string[]][] = [
  ["01-hello/send.ts"],
  ["01-hello/receive.ts"],
  ["02-work-queues/new-task.ts"],
  ["02-work-queues/worker.ts"],
  ["03-pubsub/emit-log.ts"],
  ["03-pubsub/receive-logs.ts"],
  ["04-routing/emit-log.ts"],
  ["04-routing/receive-logs.ts", "info"],
  ["05-topics/emit-log.ts"],
  ["05-topics/receive-logs.ts", "#"],
  ["06-rpc/server.ts"],
  ["06-rpc/client.ts"],
];

const PREFETCH = "--prefetch must be 1-65535";
const COUNT = "--count must be 1, 2, …";
const TIMEOUT = "--timeout must be 1-86400";
const N = "n must be 0, 1, 2, …";

/** Invalid command lines, each with the last line that the script prints. */
const mistakes: [line: string, script: string, ...args: string[]][] = [
  ["Unknown argument: x", "01-hello/send.ts", "--x"],
  ["Unknown argument: x", "03-pubsub/emit-log.ts", "--x"],
  ["Unknown argument: x", "04-routing/emit-log.ts", "--x"],
  ["Unknown argument: x", "04-routing/receive-logs.ts", "info", "--x"],
  ["Unknown argument: x", "05-topics/emit-log.ts", "--x"],
  ["Unknown argument: x", "05-topics/receive-logs.ts", "#", "--x"],
  ["Unknown argument: x", "01-hello/receive.ts", "x"],
  ["Unknown argument: x", "02-work-queues/worker.ts", "x"],
  ["Unknown argument: x", "02-work-queues/new-task.ts", "--x"],
  ["Unknown argument: x", "06-rpc/client.ts", "--x"],
  ["Unknown argument: x", "03-pubsub/receive-logs.ts", "x"],
  ["Unknown argument: x", "06-rpc/server.ts", "x"],
  [COUNT, "02-work-queues/new-task.ts", "--count", "0"],
  [COUNT, "02-work-queues/new-task.ts", "--count", "many"],
  [COUNT, "02-work-queues/new-task.ts", "--count", "1", "--count", "2"],
  [
    "Not enough arguments following: count",
    "02-work-queues/new-task.ts",
    "--count",
  ],
  [PREFETCH, "02-work-queues/worker.ts", "--prefetch", "0.5"],
  [PREFETCH, "06-rpc/server.ts", "--prefetch", "65536"],
  [PREFETCH, "06-rpc/server.ts", "--no-prefetch"],
  [TIMEOUT, "06-rpc/client.ts", "--timeout", "soon"],
  [TIMEOUT, "06-rpc/client.ts", "--timeout", "0"],
  ...["-1", "1.5", "x", "", "1e3", "0x10", "30 "].map((n): [string, string, string] => [
    N,
    "06-rpc/client.ts",
    n,
  ]),
];

// Command lines are parsed by yargs alone: each is tried on one of the runtimes.
describe("bad input", () => {
  const start = (runtime: Runtime, script: string, ...args: string[]) =>
    untilTestEnds(runScript(runtime, script, args));

  for (const [i, [script]] of scripts.entries()) {
    const runtime = runtimeAt(i);
    test(`${script} --help shows the usage and an example, on ${runtime}`, async () => {
      const help = start(runtime, script, "--help");
      await help.exits(0);
      expect(help.stdout[0]).toMatch(`Usage: npx tsx ${script}`);
      expect(help.stdout).toContain("Examples:");
      expect(help.stderr).toEqual([]);
    });
  }

  for (const [i, [line, script, ...args]] of mistakes.entries()) {
    const runtime = runtimeAt(i);
    test(`${script} ${args.join(" ")}: the usage and "${line}", on ${runtime}`, async () => {
      const program = start(runtime, script, ...args);
      await program.exits(1);
      expect(program.stdout.join("")).toBe(""); // On Bun, yargs prints an empty line.
      expect(program.stderr[0]).toMatch(`Usage: npx tsx ${script}`);
      expect(program.stderr.at(-1)).toBe(line);
    });
  }
});

onEveryRuntime("no broker", (test) => {
  test("every script reports the address and what to do", async ({ runWith }) => {
    const AMQP_URL = `amqp://me:secret@127.0.0.1:${await freePort()}/here`;
    for (const [script, ...args] of scripts) {
      const started = performance.now();
      const program = runWith({ env: { AMQP_URL } }, script, ...args);
      await program.exits(1);
      expect(performance.now() - started).toBeLessThan(10_000);
      expect(program.stdout.join("")).toBe(""); // On Bun, yargs prints an empty line.
      expect(program.stderr).toEqual([
        `[!] Nothing is listening at ${AMQP_URL.replace("secret", "***")}.`,
        "[!] Start a broker in another terminal: npm run broker",
      ]);
    }
  });
});
