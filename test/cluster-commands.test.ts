/** `npm run broker -- --nodes 3`, and `npm run ctl` on its cluster. */
import { execFileSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setInterval } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, runScript, runtimes } from "../scripts/lib/program.ts";
import { accepts, freePort } from "../scripts/lib/rabbitmq-node.ts";
import {
  messagesOn,
  onChannel,
  processesOf,
  untilTestEnds,
  withOwnNode,
} from "./lib/lesson-test.ts";

/** Creates a folder that is removed after the test. */
function folderForTest(): string {
  const { path, remove } = temporaryFolder("cluster-test-");
  onTestFinished(remove);
  return path;
}

/** Finds six consecutive free ports, and returns the first one. */
async function sixPorts(): Promise<number> {
  const port = await freePort();
  const others = await Promise.all([1, 2, 3, 4, 5].map((i) => accepts(port + i)));
  return others.includes(true) ? sixPorts() : port;
}

withOwnNode("a cluster", () => {
  test("runs until Ctrl-C, loses a node and restarts it, and keeps its messages", {
    timeout: 300_000,
  }, async () => {
    const folder = folderForTest();
    const keyboard = join(folder, "keyboard");
    execFileSync("mkfifo", [keyboard]);
    const port = await sixPorts();
    const ui = port + 3;
    const AMQP_URL = [0, 1, 2].map((i) => `amqp://localhost:${port + i}`).join();
    const command = [
      ...runtimes.tsx.command,
      join(root, "scripts/broker.ts"),
      ...["--nodes", "3", "--port", `${port}`, "--ui", `${ui}`, join(folder, "data")],
    ];
    const control = (...words: string[]) =>
      untilTestEnds(runScript("tsx", "scripts/ctl.ts", words, { env: { AMQP_URL } }));

    // Its standard input is a named pipe, into which the test types.
    const broker = new Program(
      ["bash", "-c", 'exec "$@" <>"$0"', keyboard, ...command],
    );
    onTestFinished(async () => {
      broker.signal("SIGKILL");
      await broker.exitCode;
      for await (const _ of setInterval(50)) {
        if (processesOf(folder).length === 0) break;
      }
    });
    await broker.prints("To stop it, press CTRL+C", 1, 120);
    expect(broker.stdout).toContain(
      `export AMQP_URL=${AMQP_URL}`,
    );
    const pids = [1, 2, 3].map((n) => {
      const line = new RegExp(`^Node ${n}: amqp://localhost:\\d+, process (\\d+)$`);
      return Number(broker.stdout.map((text) => line.exec(text)?.[1]).find(Boolean));
    });

    await onChannel(`amqp://localhost:${port + 1}`, async (channel) => {
      const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
      await channel.assertQueue("hello", settings);
      channel.sendToQueue("hello", Buffer.from("kept"));
      await channel.waitForConfirms();
    });
    process.kill(Number(pids[0]), "SIGKILL");
    await broker.warns(
      "[!] Node 1 has stopped. The cluster continues with 2 of 3 nodes.",
    );
    await broker.prints("To restart it, type 1 and press Enter");
    expect(await messagesOn(`amqp://localhost:${port + 2}`, "hello")).toBe(1);

    // Node 1 is down, so rabbitmqctl uses the next node. A quorum queue reports its figures every few seconds.
    for (let shown = false; !shown;) {
      const queues = control("--quiet", "list_queues", "name", "messages_ready");
      await queues.exits(0);
      shown = queues.stdout.includes("hello\t1");
    }
    appendFileSync(keyboard, "four\n1\n");
    await broker.prints("Type the number of a node: 1, 2 or 3");
    await broker.prints(/^Node 1 is back: process \d+\.$/, 1, 120);
    const wrong = control("no_such_command");
    await wrong.exits(64);
    expect(wrong.stderr.join("\n")).toContain("no_such_command");

    process.kill(Number(pids[1]), "SIGKILL");
    await broker.warns(
      "[!] Node 2 has stopped. The cluster continues with 2 of 3 nodes.",
    );
    process.kill(Number(pids[2]), "SIGKILL");
    await broker.warns(
      /^\[!\] Node 3 has stopped\. 1 of 3 nodes is left, which is not a majority/,
    );
    appendFileSync(keyboard, "2 3\n");
    await broker.prints(/^Node [23] is back: process \d+\.$/, 2, 120);
    await onChannel(`amqp://localhost:${port}`, async (channel) => {
      const message = await channel.get("hello", { noAck: true });
      expect(message && message.content.toString()).toBe("kept");
    });

    expect(await broker.stop()).toBe(0);
    expect(processesOf(folder)).toEqual([]);
    const none = control("list_queues");
    await none.exits(1);
    expect(none.stderr[0]).toBe(
      `[!] npm run ctl needs a broker that npm run broker started. None is running at amqp://localhost:${port}.`,
    );
  });
});

test("the options of a cluster are checked", async () => {
  const run = (...args: string[]) =>
    untilTestEnds(runScript("tsx", "scripts/broker.ts", args));
  const mistakes: [line: string, ...args: string[]][] = [
    ["--nodes must be 1 or 3", "--nodes", "2"],
    ["--nodes must be 1 or 3", "--nodes", "many"],
    [
      "The ports of the other nodes must not exceed 65535",
      "--nodes=3",
      "--port=65534",
    ],
    [
      "--port and --ui overlap",
      "--nodes=3",
      "--port=7000",
      "--ui=7002",
    ],
  ];
  for (const [line, ...args] of mistakes) {
    const broker = run(...args);
    await broker.exits(1);
    expect(broker.stderr.at(-1)).toBe(line);
  }
});
