/** The commands of `npm run`: setup, broker (also as a cluster), ctl, tour and delete. */
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { startCluster } from "../scripts/lib/cluster.ts";
import { accepts } from "../scripts/lib/ports.ts";
import { Program, root, runtimes } from "../scripts/lib/program.ts";
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

/**
 * Runs a command with environment variables: on Deno, as its tasks do, because tsx takes
 * three times as long to start. (Brokers run on tsx.)
 */
function run(script: string, args: string[] = [], env: Record<string, string> = {}) {
  const [deno = ""] = runtimes.deno.command;
  const command = [deno, "run", "--allow-all", join(root, script), ...args];
  return untilTestEnds(new Program(command, { env }));
}

/** Waits until a script has failed, and returns what it printed, on standard error. */
async function failure(script: string, args: string[], env = {}) {
  const program = run(script, args, env);
  await program.exits(1);
  expect(program.stdout).toEqual([]);
  return program.stderr.join("\n");
}

const GERMAN = { LC_ALL: "de_DE.UTF-8" };

test.each(["setup", "broker", "tour"])(
  "%s --help prints its usage in English, in 80 columns",
  async (name) => {
    const help = run(`scripts/${name}.ts`, ["--help"], GERMAN);
    await help.exits(0);
    expect(help.stdout[0]).toMatch(/^Usage: (npm|npx) /);
    expect(help.stdout.filter((line) => line.length > 80)).toEqual([]);
    expect(help.stderr).toEqual([]);
  },
);

const PORT = "[!] --port must be a whole number from 1 to 35000";
const USAGE = "[!] Usage: npx tsx scripts/delete.ts <queue|exchange> <name>";
const mistakes = [
  { name: "setup", args: ["--force"], line: "Unknown argument: force" },
  { name: "broker", args: ["--port", "1.5"], line: PORT },
  { name: "broker", args: ["--port", "35001"], line: PORT },
  { name: "broker", args: ["--nodes", "2"], line: "[!] --nodes must be 1 or 3" },
  { name: "delete", args: ["topic", "logs"], line: USAGE },
  { name: "tour", args: ["7"], line: "The lessons are 1 to 6" },
];
test.each(mistakes)("$name $args: $line", async ({ name, args, line }) => {
  const usage = await failure(`scripts/${name}.ts`, args, GERMAN);
  expect(usage.split("\n").at(-1)).toBe(line);
});

test("a RABBITMQ_HOME without RabbitMQ: one line", async () => {
  const line = "[!] No rabbitmq-server in RABBITMQ_HOME: /nowhere/sbin";
  expect(await failure("scripts/setup.ts", [], { RABBITMQ_HOME: "/nowhere" })).toBe(
    line,
  );
});

test("the port of the broker is in use: one line, with a port that is not", async () => {
  const port = await freePort();
  const other = createServer().listen(port, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  expect(await failure("scripts/broker.ts", ["--port", `${port}`])).toBe(
    `[!] Another program uses port ${port}. To run one beside it: ` +
      `npm run broker -- --port ${port + 100}`,
  );
});

test("a command that is killed (-9) leaves no process and no folder behind", async () => {
  const script = join(root, "test/scripts/leaves-nothing.ts");
  const [deno = ""] = runtimes.deno.command;
  const program = untilTestEnds(
    new Program([deno, "run", "--allow-all", script], { env: { TMPDIR: folder } }),
  );
  await program.prints("started");
  const isSleep = (line: string) => line.includes("sleep 1000");
  expect(processesOf(folder).filter(isSleep)).toHaveLength(1);
  const left = () => readdirSync(folder).filter((name) => /^leaves-/.test(name));
  expect(left()).toHaveLength(1);
  program.signal("SIGKILL");
  await noProcessOf(folder);
  await expect.poll(left).toEqual([]);
});

whereInstalled("where RabbitMQ is installed", (programs) => {
  test("setup has nothing to do", async () => {
    const setup = run("scripts/setup.ts");
    await setup.exits(0);
    expect(setup.stdout).toEqual([
      `RabbitMQ is installed in ${programs}: nothing to do.`,
    ]);
  });

  test("a task runs on Deno alone", async () => {
    symlinkSync("/bin/sh", join(folder, "sh")); // Neither Node nor npm is in this folder.
    symlinkSync(runtimes.deno.command[0] ?? "", join(folder, "deno"));
    const command = [join(folder, "deno"), "task", "setup"];
    const task = untilTestEnds(new Program(command, { env: { PATH: folder } }));
    await task.exits(0);
    expect(task.stdout.join()).toContain("nothing to do");
  });

  test("a cookie that others can read is corrected; data of another version is named", async () => {
    const port = await freePort();
    const cookie = join(folder, ".erlang.cookie");
    writeFileSync(cookie, "SECRET", { mode: 0o644 });
    mkdirSync(join(folder, `${port}`));
    writeFileSync(join(folder, `${port}`, "version"), "99.0");
    await expect(startCluster({ programs, folder, port }, 1)).rejects.toThrow(
      /^RabbitMQ did not start\. The data in \S+ is from RabbitMQ 99\.0, not from [34]\.\d+\./,
    );
    expect(statSync(cookie).mode & 0o777).toBe(0o400);
  });
});

whereInstalled("npm run broker", () => {
  // One broker for all of these tests, in their order: starting it takes long.
  let port = 0;
  let data = ""; // This folder is in the environment of each of its processes.
  let broker: Program;
  let env: Record<string, string> = {};
  const control = (...words: string[]) => run("scripts/ctl.ts", words, env);
  const second = () => failure("scripts/broker.ts", ["--port", `${port}`]);
  beforeAll(async () => {
    port = await freePort();
    data = join(root, `.rabbitmq/${port}/`);
    env = { AMQP_URL: `amqp://guest:secret@localhost:${port}` };
    broker = runBroker(port);
  });
  afterAll(() => broker.signal("SIGKILL"));

  test("Ctrl-C ends it while it starts", async () => {
    await expect.poll(() => processesOf(data).join()).toMatch(/beam/);
    expect(await broker.stop()).toBe(0);
    expect(broker.stdout).toEqual(["Starting RabbitMQ ..."]);
    await noProcessOf(data);
  });

  test("it says how to use it, and has a management UI", async () => {
    broker = runBroker(port);
    await broker.prints("To stop it, press CTRL+C", 1, 120);
    expect(broker.stdout).toContain(`export AMQP_URL=amqp://localhost:${port}`);
    expect(await accepts(port + 10_000)).toBe(true);
  });

  test("a second one on its port says what is there", async () => {
    expect(await second()).toMatch(
      /^\[!\] RabbitMQ [34]\.\S+ is running on port \d+: the lessons can use it, with AMQP_URL=\S+ If it is a service, .* stops it\. To run one beside it: npm run broker -- --port \d+$/,
    );
  });

  test("a second one says if the user guest is refused there", async () => {
    await control("change_password", "guest", "secret").exits(0);
    expect(await second()).toMatch(/^\[!\] RabbitMQ .* refuses the user guest: .*$/);
  });

  test("npm run ctl passes its words on to rabbitmqctl", async () => {
    await control("set_policy", "a b", "^none$", '{"max-length": 5}').exits(0);
    await control("list_policies", "--quiet").prints(/a b\t\^none\$.*"max-length":5/);
  });

  test("Ctrl-C stops it, with all its processes; ctl then says that it is not running", async () => {
    await run("01-hello/send.ts", ["kept"], env).exits(0);
    expect(await broker.stop()).toBe(0);
    expect(processesOf(data)).toEqual([]);
    const idle = await failure("scripts/ctl.ts", ["list_queues"], env);
    expect(idle).toMatch(/^\[!\] npm run broker is not running at amqp:\S+:\d+\./);
  });

  test("it has its messages when it starts again", async () => {
    broker = runBroker(port);
    await broker.prints("To stop it, press CTRL+C", 1, 120);
    await run("01-hello/receive.ts", [], env).prints("[x] Received 'kept'");
  });

  test("killed (-9), it leaves no process behind", async () => {
    broker.signal("SIGKILL");
    await noProcessOf(data);
  });
});

whereInstalled("npm run broker -- --nodes 3", () => {
  // One cluster for all of these tests, in their order.
  let port = 0;
  let urls: string[] = [];
  let nodes: string[] = [];
  let broker: Program;
  beforeAll(async () => {
    port = await freePort(3);
    urls = [0, 1, 2].map((i) => `amqp://localhost:${port + i}`);
    nodes = [0, 1, 2].map((i) => join(root, `.rabbitmq/cluster-${port}/${port + i}/`));
    broker = runBroker(port, "--nodes", "3");
    await broker.prints("To stop it, press CTRL+C", 1, 120);
  });
  afterAll(() => broker.signal("SIGKILL"));

  /** Kills a node (-9), by its number. */
  function killNode(i: number): void {
    const pids = broker.stdout.flatMap((line) => /process (\d+)/.exec(line)?.[1] ?? []);
    process.kill(Number(pids[i]), "SIGKILL");
  }

  test("it says how to use all its nodes", async () => {
    expect(broker.stdout).toContain(`export AMQP_URL=${urls}`);
    await run("01-hello/send.ts", ["kept"], { AMQP_URL: urls[1] ?? "" }).exits(0);
  });

  test("without one node, it has a majority, and its messages", async () => {
    killNode(0);
    await broker.warns(/^\[!\] Node 1 .* 2 of 3 are left, which is a majority/);
    await broker.prints(/^To start it again, /);
    expect(await messagesIn(urls[2] ?? "", "hello")).toBe(1);
  });

  test("npm run ctl then uses the next node, and has the exit code of rabbitmqctl", async () => {
    const env = { AMQP_URL: urls.join() };
    const status = run("scripts/ctl.ts", ["--quiet", "cluster_status"], env);
    await status.exits(0);
    expect(status.stdout.join("\n")).toContain(`${port + 1}@localhost: RabbitMQ`);
    await run("scripts/ctl.ts", ["no_such_command"], env).exits(64);
  });

  test("without two nodes, it says that it has no majority", async () => {
    killNode(1);
    await broker.warns(/^\[!\] Node 2 .* 1 of 3 is left, which is not a majority/);
  });

  test("Ctrl-C stops the rest; it has its messages when it starts again", async () => {
    expect(await broker.stop()).toBe(0);
    expect(nodes.flatMap(processesOf)).toEqual([]);
    broker = runBroker(port, "--nodes", "3");
    await broker.prints("To stop it, press CTRL+C", 1, 120);
    const env = { AMQP_URL: urls.join() };
    await run("01-hello/receive.ts", [], env).prints("[x] Received 'kept'");
  });

  test("killed (-9), it leaves no process behind", async () => {
    broker.signal("SIGKILL");
    for (const node of nodes) await noProcessOf(node);
  });
});
