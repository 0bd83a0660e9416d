/** The commands of `npm run`: setup, broker, ctl and start. For clusters, see cluster-commands.test.ts. */
import { readdirSync } from "node:fs";
import { setInterval } from "node:timers/promises";
import { expect, inject, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, type ProgramOptions, runScript } from "../scripts/lib/program.ts";
import { accepts, freePort } from "../scripts/lib/rabbitmq-node.ts";
import { processesOf, withOwnNode } from "./lib/lesson-test.ts";

/** Starts a script, and stops it after the test if it is still running. */
function run(options: ProgramOptions, script: string, ...args: string[]): Program {
  const program = runScript("tsx", script, args, options);
  onTestFinished(async () => {
    program.signal("SIGTERM");
    await program.exitCode;
  });
  return program;
}

/** Creates a folder that is removed after the test. */
function folderForTest(): string {
  const { path, remove } = temporaryFolder("commands-test-");
  onTestFinished(remove);
  return path;
}

/** Lists our folders in a folder for temporary files, where tsx keeps a cache too. */
const ownFolders = (folder: string) =>
  readdirSync(folder).filter((name) => name.startsWith("rabbitmq"));

withOwnNode("the commands", (programs) => {
  test("setup reports in one line that there is nothing to do", async () => {
    const setup = run({}, "scripts/setup.ts");
    await setup.exits(0);
    expect(setup.stdout).toEqual([
      `RabbitMQ is installed in ${programs}: nothing to do.`,
    ]);
  });

  test("a tour that is killed (-9) leaves no process and no folder behind", async () => {
    const folder = folderForTest();
    const tour = run({ env: { TMPDIR: folder } }, "scripts/tour.ts", "2");
    await tour.prints(/Received 'a long task/, 1, 60);
    const children = processesOf(folder).filter((line) =>
      /beam|epmd|worker/.test(line)
    );
    expect(children.length).toBeGreaterThan(3);
    tour.signal("SIGKILL");
    await tour.exitCode;
    for await (const _ of setInterval(50)) if (processesOf(folder).length === 0) break;
    expect(ownFolders(folder)).toEqual([]);
  });

  test("the broker keeps the contents of durable queues", async () => {
    const folder = folderForTest();
    const port = await freePort();
    const options = ["--port", String(port), "--ui", String(await freePort()), folder];
    const env = { AMQP_URL: `amqp://localhost:${port}` };

    const first = run({}, "scripts/broker.ts", ...options);
    await first.prints("To stop it, press CTRL+C", 1, 120);
    expect(first.stdout).toContain(
      `export AMQP_URL=amqp://localhost:${port}`,
    );
    await run({ env }, "01-hello/send.ts", "kept").exits(0);
    const another = run({}, "scripts/broker.ts", ...options);
    await another.exits(0);
    expect(another.stdout[0]).toMatch(
      /^RabbitMQ [34]\.[.\d]+ is already listening on port \d+\.$/,
    );
    expect(another.stdout[1]).toBe("npm run broker is running it in another terminal.");
    const name = "a name, with spaces";
    const policy = ["set_policy", name, "^none$", '{"max-length": 5}'];
    await run({ env }, "scripts/ctl.ts", ...policy).exits(0);
    const policies = run({ env }, "scripts/ctl.ts", "list_policies", "--quiet");
    await policies.prints(/a name, with spaces\t\^none\$.*\{"max-length":5\}/);
    expect(await first.stop()).toBe(0);
    expect(await accepts(port)).toBe(false);

    const second = run({}, "scripts/broker.ts", ...options);
    await second.prints("To stop it, press CTRL+C", 1, 120);
    await run({ env }, "01-hello/receive.ts").prints("[x] Received 'kept'");
    expect(await second.stop()).toBe(0);
  });

  test("a broker that npm run broker did not start: what does not work, and what to do", async () => {
    const { url } = inject("broker");
    const { port } = new URL(url);
    const ui = await freePort();
    const broker = run({}, "scripts/broker.ts", `--port=${port}`, `--ui=${ui}`);
    await broker.exits(0);
    expect(broker.stdout).toEqual([
      expect.stringMatching(
        /^RabbitMQ [34]\.[.\d]+ is already listening on port \d+\.$/,
      ),
      `To use it for the lessons: export AMQP_URL=amqp://localhost:${port}`,
      "npm run broker did not start it, so these parts of the pages do not work: " +
      `the management UI (nothing is listening on port ${ui}), stopping and starting the broker, npm run ctl.`,
      "To run one where everything works, stop this one first. If it is a service: sudo systemctl stop rabbitmq-server",
      expect.stringMatching(
        /^Or run one beside it: npm run broker -- --port (\d+) --ui \d+, and for the lessons: export AMQP_URL=amqp:\/\/localhost:\1$/,
      ),
    ]);
    const cluster = run(
      {},
      "scripts/broker.ts",
      ...["--nodes=3", `--port=${port}`, `--ui=${ui}`],
    );
    await cluster.exits(1);
    expect(cluster.stdout.at(-1)).toMatch(
      /^Or run one beside it: npm run broker -- --nodes 3 /,
    );
    const env = { AMQP_URL: url };
    const control = run({ env }, "scripts/ctl.ts", "list_queues");
    await control.exits(1);
    expect(control.stderr[0]).toMatch(
      /^\[!\] npm run ctl needs a broker that npm run broker started\. None is running at /,
    );
  });
});

test("setup, broker and ctl have a --help; setup rejects unknown arguments", async () => {
  for (const name of ["setup", "broker", "ctl"]) {
    const help = run({}, `scripts/${name}.ts`, "--help");
    await help.exits(0);
    expect(help.stdout[0]).toMatch(`Usage: npm run ${name}`);
    expect(help.stderr).toEqual([]);
  }
  const setup = run({}, "scripts/setup.ts", "--dry-run");
  await setup.exits(1);
  expect(setup.stdout).toEqual([]);
  expect(setup.stderr.at(-1)).toMatch(/^Unknown argument/);
});

test("a RABBITMQ_HOME without RabbitMQ is reported in one line", async () => {
  const setup = run({ env: { RABBITMQ_HOME: "/nowhere" } }, "scripts/setup.ts");
  await setup.exits(1);
  expect(setup.stderr).toEqual([
    "[!] RABBITMQ_HOME is set, but /nowhere/sbin/rabbitmq-server does not exist or is not executable.",
  ]);
});

test("the tour rejects a lesson that does not exist", async () => {
  const tour = run({}, "scripts/tour.ts", "7");
  await tour.exits(1);
  expect(tour.stderr.at(-1)).toBe("The lessons are 1 to 6");
});
