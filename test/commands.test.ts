/** The commands of `npm run`: setup, broker (also as a cluster), ctl, tour and delete. */
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { startNode } from "../scripts/lib/cluster.ts";
import { accepts } from "../scripts/lib/ports.ts";
import { Program, runScript, runtimes } from "../scripts/lib/program.ts";
import { messagesIn } from "./lib/broker.ts";
import {
  noProcessOf,
  processesOf,
  runBroker,
  untilTestEnds,
  whereInstalled,
} from "./lib/lesson-test.ts";
import { freePort } from "./lib/ports.ts";

const { path: folder, remove } = temporaryFolder("commands-test-");
afterAll(remove);

/** Runs a script with environment variables. */
const run = (script: string, args: string[] = [], env: Record<string, string> = {}) =>
  untilTestEnds(runScript("tsx", script, args, { env }));

/** Waits until a script has failed, and returns what it printed, on standard error. */
async function failure(script: string, args: string[], env = {}) {
  const program = run(script, args, env);
  await program.exits(1);
  expect(program.stdout).toEqual([]);
  return program.stderr.join("\n");
}

/** Runs `npm run broker`, and waits until it has started. */
async function startBroker(port: number, ...options: string[]) {
  const broker = untilTestEnds(runBroker(port, ...options));
  await broker.prints("To stop it, press CTRL+C", 1, 120);
  return broker;
}

test("in English: --help, at most 80 columns wide, and one line about a mistake", async () => {
  const env = { LC_ALL: "de_DE.UTF-8" };
  for (const name of ["setup", "broker", "ctl", "tour", "delete"]) {
    const help = run(`scripts/${name}.ts`, ["--help"], env);
    await help.exits(0);
    expect(help.stdout[0]).toMatch(/^Usage: (npm|npx) /);
    expect(help.stdout.filter((line) => line.length > 80)).toEqual([]);
    expect(help.stderr).toEqual([]);
  }
  const mistakes: [line: string, name: string, ...args: string[]][] = [
    ["Unknown argument: force", "setup", "--force"],
    ["--port must be a whole number from 1 to 35000", "broker", "--port", "1.5"],
    ["--nodes must be 1 or 3", "broker", "--nodes", "2"],
    ["The lessons are 1 to 6", "tour", "7"],
  ];
  for (const [line, name, ...args] of mistakes) {
    const usage = await failure(`scripts/${name}.ts`, args, env);
    expect(usage.split("\n").at(-1)).toBe(line);
  }

  const setup = await failure("scripts/setup.ts", [], { RABBITMQ_HOME: "/nowhere" });
  expect(setup).toBe("[!] No rabbitmq-server in RABBITMQ_HOME: /nowhere/sbin");
  const port = await freePort();
  const other = createServer().listen(port, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  expect(await failure("scripts/broker.ts", ["--port", `${port}`])).toBe(
    `[!] Another program uses port ${port}. To run one beside it: ` +
      `npm run broker -- --port ${port + 100}`,
  );
});

whereInstalled("where RabbitMQ is installed", (programs) => {
  test("setup has nothing to do, also as a task of Deno alone", async () => {
    symlinkSync("/bin/sh", join(folder, "sh")); // Neither Node nor npm is in this folder.
    symlinkSync(runtimes.deno.command[0] ?? "", join(folder, "deno"));
    const command = [join(folder, "deno"), "task", "setup"];
    const task = untilTestEnds(new Program(command, { env: { PATH: folder } }));
    const line = `RabbitMQ is installed in ${programs}: nothing to do.`;
    for (const setup of [run("scripts/setup.ts"), task]) {
      await setup.exits(0);
      expect(setup.stdout).toEqual([line]);
    }
  });

  test("a tour that is killed (-9) leaves no process and no folder behind", async () => {
    const tour = run("scripts/tour.ts", ["2"], { TMPDIR: folder });
    await tour.prints(/Received 'a long task/, 1, 60);
    const ours = processesOf(folder).filter((line) => /beam|epmd|worker/.test(line));
    expect(ours.length).toBeGreaterThan(3);
    tour.signal("SIGKILL");
    await noProcessOf(folder);
    const left = () => readdirSync(folder).filter((name) => /^rabbitmq/.test(name));
    await expect.poll(left).toEqual([]);
  });

  test("a cookie that others can read is corrected; data of another version is named", async () => {
    const [port, cookie] = [await freePort(), join(folder, ".erlang.cookie")];
    writeFileSync(cookie, "SECRET", { mode: 0o644 });
    mkdirSync(join(folder, `${port}`));
    writeFileSync(join(folder, `${port}`, "version"), "99.0");
    await expect(startNode({ programs, folder, port })).rejects.toThrow(
      /^RabbitMQ did not start\. The data in \S+ is from RabbitMQ 99\.0, not from [34]\.\d+\./,
    );
    expect(statSync(cookie).mode & 0o777).toBe(0o400);
  });

  test("Ctrl-C ends the broker, also while it starts; it keeps its messages; a second one says what is there", async () => {
    const port = await freePort();
    const starting = untilTestEnds(runBroker(port));
    await expect.poll(() => processesOf(`-${port}@`).join()).toMatch(/beam/);
    expect(await starting.stop()).toBe(0);
    expect(starting.stdout).toEqual(["Starting RabbitMQ ..."]);
    await noProcessOf(`-${port}@`);

    const env = { AMQP_URL: `amqp://guest:secret@localhost:${port}` };
    const control = (...words: string[]) => run("scripts/ctl.ts", words, env);
    const first = await startBroker(port);
    expect(first.stdout).toContain(`export AMQP_URL=amqp://localhost:${port}`);
    expect(await accepts(port + 10_000)).toBe(true);
    const second = () => failure("scripts/broker.ts", ["--port", `${port}`]);
    expect(await second()).toMatch(
      /^\[!\] RabbitMQ [34]\.\S+ is running on port \d+: the lessons can use it, with AMQP_URL=\S+ If it is a service, .* stops it\. To run one beside it: npm run broker -- --port \d+$/,
    );
    await control("change_password", "guest", "secret").exits(0);
    expect(await second()).toMatch(/^\[!\] RabbitMQ .* refuses the user guest: .*$/);
    await run("01-hello/send.ts", ["kept"], env).exits(0);
    await control("set_policy", "a b", "^none$", '{"max-length": 5}').exits(0);
    await control("list_policies", "--quiet").prints(/a b\t\^none\$.*"max-length":5/);
    expect(await first.stop()).toBe(0);
    expect(processesOf(`-${port}@`)).toEqual([]);
    const idle = await failure("scripts/ctl.ts", ["list_queues"], env);
    expect(idle).toMatch(/^\[!\] npm run broker is not running at amqp:\S+:\d+\./);

    const again = await startBroker(port);
    await run("01-hello/receive.ts", [], env).prints("[x] Received 'kept'");
    again.signal("SIGKILL");
    await noProcessOf(`-${port}@`);
  });

  test("a cluster loses a node, then its majority, and has its messages when it starts again", async () => {
    const port = await freePort(3);
    const urls = [0, 1, 2].map((i) => `amqp://localhost:${port + i}`);
    const [env, [, second = "", third = ""]] = [{ AMQP_URL: urls.join() }, urls];
    const broker = await startBroker(port, "--nodes", "3");
    expect(broker.stdout).toContain(`export AMQP_URL=${urls}`);
    await run("01-hello/send.ts", ["kept"], { AMQP_URL: second }).exits(0);
    const pids = broker.stdout.flatMap((line) => /process (\d+)/.exec(line)?.[1] ?? []);

    process.kill(Number(pids[0]), "SIGKILL");
    await broker.warns(/^\[!\] Node 1 .* 2 of 3 are left, which is a majority/);
    await broker.prints(/^To start it again, /);
    expect(await messagesIn(third, "hello")).toBe(1);
    const status = run("scripts/ctl.ts", ["--quiet", "cluster_status"], env);
    await status.exits(0);
    expect(status.stdout.join("\n")).toContain(`${port + 1}@localhost: RabbitMQ`);
    await run("scripts/ctl.ts", ["no_such_command"], env).exits(64);
    process.kill(Number(pids[1]), "SIGKILL");
    await broker.warns(/^\[!\] Node 2 .* 1 of 3 is left, which is not a majority/);
    expect(await broker.stop()).toBe(0);
    const nodes = [0, 1, 2].map((i) => `-${port + i}@`);
    expect(nodes.flatMap(processesOf)).toEqual([]);

    const again = await startBroker(port, "--nodes", "3");
    await run("01-hello/receive.ts", [], env).prints("[x] Received 'kept'");
    again.signal("SIGKILL");
    for (const node of nodes) await noProcessOf(node);
  });
});
