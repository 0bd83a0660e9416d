/** The commands of `npm run`. For a cluster, see cluster-commands.test.ts. */
import { readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, runScript, runtimes } from "../scripts/lib/program.ts";
import { accepts, freePort, startNode } from "../scripts/lib/rabbitmq-node.ts";
import {
  noProcessOf,
  processesOf,
  runBroker,
  untilTestEnds,
  whereInstalled,
} from "./lib/lesson-test.ts";

const READY = "To stop it, press CTRL+C";

/** Runs a script of scripts/, with environment variables. */
function run(script: string, args: string[] = [], env: Record<string, string> = {}) {
  return untilTestEnds(runScript("tsx", script, args, { env }));
}

/** Creates a folder that is removed after the test. */
function folderForTest(): string {
  const { path, remove } = temporaryFolder("commands-test-");
  onTestFinished(remove);
  return path;
}

whereInstalled("the commands", (programs) => {
  test("setup says that there is nothing to do, also as a task of Deno alone", async () => {
    const line = `RabbitMQ is installed in ${programs}: nothing to do.`;
    const setup = run("scripts/setup.ts");
    await setup.exits(0);
    expect(setup.stdout).toEqual([line]);
    const bin = folderForTest(); // Contains neither Node nor npm.
    symlinkSync("/bin/sh", join(bin, "sh"));
    symlinkSync(runtimes.deno.command[0] ?? "", join(bin, "deno"));
    const command = [join(bin, "deno"), "task", "setup"];
    const task = untilTestEnds(new Program(command, { env: { PATH: bin } }));
    await task.prints(line);
    await task.exits(0);
  });

  test("a tour that is killed (-9) leaves no process and no folder behind", async () => {
    const folder = folderForTest();
    const tour = run("scripts/tour.ts", ["2"], { TMPDIR: folder });
    await tour.prints(/Received 'a long task/, 1, 60);
    const children = processesOf(folder).filter((line) =>
      /beam|epmd|worker/.test(line)
    );
    expect(children.length).toBeGreaterThan(3);
    tour.signal("SIGKILL");
    await noProcessOf(folder);
    await expect.poll(() =>
      readdirSync(folder).filter((name) => /^rabbitmq/.test(name))
    )
      .toEqual([]); // tsx keeps its cache in this folder, too.
  });

  test("the broker keeps its messages; a second one says what is there", async () => {
    const port = await freePort();
    const name = `rabbitmq-by-example-${port}@`;
    const env = { AMQP_URL: `amqp://localhost:${port}` };
    const first = untilTestEnds(runBroker(port));
    await first.prints(READY, 1, 120);
    expect(first.stdout).toContain(`export AMQP_URL=amqp://localhost:${port}`);
    expect(await accepts(port + 10_000)).toBe(true);
    await run("01-hello/send.ts", ["kept"], env).exits(0);
    const second = run("scripts/broker.ts", ["--port", `${port}`]);
    await second.exits(1);
    expect(second.stderr.join()).toMatch(RegExp(
      `^\\[!\\] RabbitMQ [34][.\\d]+ is running on port ${port}: the lessons can use ` +
        `it, with AMQP_URL=\\S+. To run one beside it: npm run broker -- --port \\d+$`,
    ));

    const policy = ["set_policy", "a name, with spaces", "^none$", '{"max-length": 5}'];
    await run("scripts/ctl.ts", policy, env).exits(0);
    const policies = run("scripts/ctl.ts", ["list_policies", "--quiet"], env);
    await policies.prints(/a name, with spaces\t\^none\$.*\{"max-length":5\}/);
    expect(await first.stop()).toBe(0);
    expect(processesOf(name)).toEqual([]);

    const again = untilTestEnds(runBroker(port));
    await again.prints(READY, 1, 120);
    await untilTestEnds(run("01-hello/receive.ts", [], env)).prints(
      "[x] Received 'kept'",
    );
    again.signal("SIGKILL");
    await noProcessOf(name);
  });

  test("Ctrl-C while the broker starts leaves no process behind", async () => {
    const port = await freePort();
    const broker = untilTestEnds(runBroker(port));
    await expect.poll(() => processesOf(`-${port}@`).join(), { timeout: 20_000 })
      .toMatch(/beam/);
    expect(await broker.stop()).toBe(0);
    expect(broker.stdout).toEqual(["Starting RabbitMQ ..."]);
    await noProcessOf(`-${port}@`);
  });

  test("a cookie that others can read is corrected; data of another version is named", async () => {
    const folder = folderForTest();
    const cookie = join(folder, ".erlang.cookie");
    writeFileSync(cookie, "SECRET", { mode: 0o644 });
    const settings = ["default_pass = secret"];
    const port = await freePort();
    const node = await startNode({ programs, folder, port, settings });
    onTestFinished(node.stop);
    expect(statSync(cookie).mode & 0o777).toBe(0o400);
    const broker = run("scripts/broker.ts", ["--port", `${port}`]);
    await broker.warns(
      /^\[!\] RabbitMQ is running on port \d+, but refuses the user guest/,
    );
    await node.pause();
    writeFileSync(join(folder, `${port}`, "version"), "99.0");
    await expect(node.start()).rejects.toThrow(
      /^RabbitMQ did not start\. The data in \S+ is from RabbitMQ 99\.0, not from [34]\.\d+\./,
    );
  });

  test("ctl needs a broker of npm run broker", async () => {
    const env = { AMQP_URL: `amqp://localhost:${await freePort()}` };
    const control = run("scripts/ctl.ts", ["list_queues"], env);
    await control.exits(1);
    const [line] = control.stderr;
    expect(line).toMatch(
      /^\[!\] npm run broker is not running at amqp:\/\/localhost:\d+\./,
    );
  });
});

test("another program on the port is reported in one line", async () => {
  const server = createServer((_, response) => response.end());
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const broker = run("scripts/broker.ts", ["--port", `${port}`]);
  await broker.exits(1);
  expect(broker.stderr).toEqual([
    `[!] Another program uses port ${port}. To run one beside it: ` +
    `npm run broker -- --port ${port + 100}`,
  ]);
});

test("every command has a --help in English, at most 80 columns wide", async () => {
  for (const name of ["setup", "broker", "ctl", "tour", "delete"]) {
    const help = run(`scripts/${name}.ts`, ["--help"], { LC_ALL: "de_DE.UTF-8" });
    await help.exits(0);
    expect(help.stdout[0]).toMatch(/^Usage: (npm|npx) /);
    expect(help.stdout.filter((line) => line.length > 80)).toEqual([]);
    expect(help.stderr).toEqual([]);
  }
});

test.each([
  ["setup", ["--force"], "Unknown argument: force"],
  ["broker", ["--port", "1.5"], "--port must be a whole number from 1 to 35000"],
  ["broker", ["--nodes", "2"], "--nodes must be 1 or 3"],
  ["tour", ["7"], "The lessons are 1 to 6"],
])("%s %j: one line says what is wrong", async (name, args, line) => {
  const program = run(`scripts/${name}.ts`, args, { LC_ALL: "de_DE.UTF-8" });
  await program.exits(1);
  expect(program.stdout).toEqual([]);
  expect(program.stderr.at(-1)).toBe(line);
});

test("a RABBITMQ_HOME without RabbitMQ is reported in one line", async () => {
  const setup = run("scripts/setup.ts", [], { RABBITMQ_HOME: "/nowhere" });
  await setup.exits(1);
  expect(setup.stderr).toEqual([
    "[!] No rabbitmq-server in RABBITMQ_HOME: /nowhere/sbin",
  ]);
});
