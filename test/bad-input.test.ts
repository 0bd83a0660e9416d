/** Invalid command lines and addresses, for every script. */
import { expect } from "vitest";
import { freePort } from "../scripts/lib/rabbitmq-node.ts";
import { onEveryRuntime } from "./lib/lesson-test.ts";

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

onEveryRuntime("bad input", (test) => {
  test("--help shows the usage and an example", async ({ run }) => {
    for (const [script] of scripts) {
      const help = run(script, "--help");
      expect(await help.exitCode).toBe(0);
      expect(help.stdout[0]).toMatch(`Usage: npx tsx ${script}`);
      expect(help.stdout).toContain("Examples:");
      expect(help.stderr).toEqual([]);
    }
  });

  test("an unknown option, an extra argument or an invalid number: the usage, and one line", async ({ run }) => {
    const prefetch = "--prefetch must be 1-65535";
    const count = "--count must be positive";
    const timeout = "--timeout must be 1-86400";
    const mistakes: [line: string, script: string, ...args: string[]][] = [
      ["Unknown argument: bogus", "01-hello/send.ts", "--bogus"],
      ["Unknown argument: bogus", "03-pubsub/emit-log.ts", "--bogus"],
      ["Unknown argument: bogus", "04-routing/emit-log.ts", "--bogus"],
      ["Unknown argument: bogus", "04-routing/receive-logs.ts", "info", "--bogus"],
      ["Unknown argument: bogus", "05-topics/emit-log.ts", "--bogus"],
      ["Unknown argument: bogus", "05-topics/receive-logs.ts", "#", "--bogus"],
      ["Unknown argument: x", "01-hello/receive.ts", "x"],
      ["Unknown argument: x", "02-work-queues/worker.ts", "x"],
      ["Unknown argument: x", "02-work-queues/new-task.ts", "--x"],
      ["Unknown argument: x", "06-rpc/client.ts", "--x"],
      ["Unknown argument: x", "03-pubsub/receive-logs.ts", "x"],
      ["Unknown argument: x", "06-rpc/server.ts", "x"],
      [count, "02-work-queues/new-task.ts", "--count", "0"],
      [count, "02-work-queues/new-task.ts", "--count", "many"],
      [count, "02-work-queues/new-task.ts", "--count", "1", "--count", "2"],
      [
        "Not enough arguments following: count",
        "02-work-queues/new-task.ts",
        "--count",
      ],
      [prefetch, "02-work-queues/worker.ts", "--prefetch", "0.5"],
      [prefetch, "06-rpc/server.ts", "--prefetch", "65536"],
      [prefetch, "06-rpc/server.ts", "--no-prefetch"],
      [timeout, "06-rpc/client.ts", "--timeout", "soon"],
      [timeout, "06-rpc/client.ts", "--timeout", "0"],
    ];
    for (const [line, script, ...args] of mistakes) {
      const program = run(script, ...args);
      expect(await program.exitCode).toBe(1);
      expect(program.stdout.join("")).toBe(""); // On Bun, yargs prints an empty line.
      expect(program.stderr[0]).toMatch(`Usage: npx tsx ${script}`);
      expect(program.stderr.at(-1)).toBe(line);
    }
  });

  test("no broker: every script reports the address and what to do", async ({ runWith }) => {
    const AMQP_URL = `amqp://me:secret@127.0.0.1:${await freePort()}/here`;
    for (const [script, ...args] of scripts) {
      const started = performance.now();
      const program = runWith({ env: { AMQP_URL } }, script, ...args);
      expect(await program.exitCode).toBe(1);
      expect(performance.now() - started).toBeLessThan(10_000);
      expect(program.stdout.join("")).toBe(""); // On Bun, yargs prints an empty line.
      expect(program.stderr).toEqual([
        `[!] Nothing is listening at ${AMQP_URL.replace("secret", "***")}.`,
        "[!] Start a broker in another terminal: npm run broker",
      ]);
    }
  });
});
