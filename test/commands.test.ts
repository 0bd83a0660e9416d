/** The commands behind `npm run`: setup, broker and start. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { setInterval } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, type ProgramOptions, runScript } from "../scripts/lib/program.ts";
import { accepts, freePort } from "../scripts/lib/rabbitmq-node.ts";
import { withOwnNode } from "./lib/lesson-test.ts";

/** Starts one of the scripts; what still runs after the test is killed. */
function run(options: ProgramOptions, script: string, ...args: string[]): Program {
  const program = runScript("tsx", script, args, options);
  onTestFinished(async () => {
    program.signal("SIGTERM");
    await program.exitCode;
  });
  return program;
}

/** A folder that is gone after the test. */
function folderForTest(): string {
  const { path, remove } = temporaryFolder("commands-test-");
  onTestFinished(remove);
  return path;
}

/** What is ours in a folder for temporary files; tsx keeps a cache there. */
const ownFolders = (folder: string) =>
  readdirSync(folder).filter((name) => name.startsWith("rabbitmq"));

withOwnNode("the commands", (programs) => {
  test("setup has nothing to do, and says so in one line", async () => {
    const setup = run({}, "scripts/setup.ts");
    expect(await setup.exitCode).toBe(0);
    expect(setup.stdout).toEqual([
      `RabbitMQ is installed in ${programs}: nothing to do.`,
    ]);
  });

  test("the tour plays a lesson, and leaves neither a folder nor a broker behind", async () => {
    const folder = folderForTest();
    const tour = run({ env: { TMPDIR: folder } }, "scripts/tour.ts", "1");
    expect(await tour.exitCode).toBe(0);
    expect(tour.stdout).toContain("receive    | [x] Received 'Hello World!'");
    expect(tour.stdout).toContain("1  Hello World       ok");
    expect(ownFolders(folder)).toEqual([]);
  });

  test("a tour that is killed (-9) leaves none of its processes, and no folder", async () => {
    const folder = folderForTest();
    const tour = run({ env: { TMPDIR: folder } }, "scripts/tour.ts", "2");
    await tour.prints(/Received 'a long task/, 1, 60);
    /** The processes with this folder in their environment: the tour itself, and all that it has started. */
    const processes = () =>
      execFileSync("ps", ["axeww"], { encoding: "utf8" }).split("\n").filter((line) =>
        line.includes(folder)
      );
    expect(processes().filter((line) => /beam|epmd|worker/.test(line)).length)
      .toBeGreaterThan(3);
    tour.signal("SIGKILL");
    await tour.exitCode;
    for await (const _ of setInterval(50)) if (processes().length === 0) break;
    expect(ownFolders(folder)).toEqual([]);
  });

  test("the broker keeps what is in durable queues until the next time", async () => {
    const folder = folderForTest();
    const port = await freePort();
    const options = ["--port", String(port), "--ui", String(await freePort()), folder];
    const env = { AMQP_URL: `amqp://localhost:${port}` };

    const today = run({}, "scripts/broker.ts", ...options);
    await today.prints("To stop it press CTRL+C", 1, 120);
    expect(await run({ env }, "01-hello/send.ts", "kept").exitCode).toBe(0);
    const another = run({}, "scripts/broker.ts", ...options);
    expect(await another.exitCode).toBe(0);
    expect(another.stdout[0]).toMatch(
      /^RabbitMQ [34]\.[.\d]+ already listens on port \d+\.$/,
    );
    expect(await today.stop()).toBe(0);
    expect(await accepts(port)).toBe(false);

    const tomorrow = run({}, "scripts/broker.ts", ...options);
    await tomorrow.prints("To stop it press CTRL+C", 1, 120);
    await run({ env }, "01-hello/receive.ts").prints("[x] Received 'kept'");
    expect(await tomorrow.stop()).toBe(0);
  });
});

test("a RABBITMQ_HOME without RabbitMQ is one clear line", async () => {
  const setup = run({ env: { RABBITMQ_HOME: "/nowhere" } }, "scripts/setup.ts");
  expect(await setup.exitCode).toBe(1);
  expect(setup.stderr).toEqual([
    "[!] RABBITMQ_HOME is set, but there is no /nowhere/sbin/rabbitmq-server that can be run.",
  ]);
});

test("the tour refuses a lesson that is not there", async () => {
  const tour = run({}, "scripts/tour.ts", "7");
  expect(await tour.exitCode).toBe(1);
  expect(tour.stderr.at(-1)).toBe("The lessons are 1 to 6");
});
