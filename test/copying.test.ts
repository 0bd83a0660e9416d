/** Lessons copied into another project: with shared/, and with amqplib alone, as the pages say. */
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, type Runtime, runtimes } from "../scripts/lib/program.ts";
import { closeAll, SETTLING } from "./lib/broker.ts";
import { consumers, READY, survive } from "./lib/consumers.ts";
import { test, untilTestEnds, withOwnNode } from "./lib/lesson-test.ts";
import { quickRuntime } from "./lib/runtimes.ts";

/** Returns the first code block after a heading of a page. */
function blockAfter(page: string, heading: string): string {
  const [, text = ""] = readFileSync(join(root, page), "utf8").split(`\n${heading}\n`);
  return /^```\w+\n(.*?)^```$/ms.exec(text)?.[1] ?? expect.unreachable(heading);
}

/** Creates a folder that is removed after the test. */
function newFolder(): string {
  const { path, remove } = temporaryFolder("copying-test-");
  onTestFinished(remove);
  return path;
}

/**
 * Copies the lessons and shared/text.ts, without shared/connection.ts. Returns a function
 * that changes one of the scripts, and runs it.
 */
function copyAll() {
  const folder = newFolder();
  const lessons = consumers.map(({ command: [script] }) => script.split("/")[0] ?? "");
  for (
    const part of [
      ...lessons,
      "shared/text.ts",
      "shared/options.ts",
      "shared/errors.ts",
      "package.json",
    ]
  ) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return (
    [script, ...args]: [string, ...string[]],
    edit: (source: string) => string,
  ) => {
    const changed = edit(readFileSync(join(folder, script), "utf8"));
    expect(changed).not.toContain("shared/connection.ts");
    writeFileSync(join(folder, script), changed);
    return runIn(folder, quickRuntime, "", script, ...args);
  };
}

/** Runs a script from its folder. */
function runIn(folder: string, runtime: Runtime, AMQP_URL: string, ...words: string[]) {
  const command = [...runtimes[runtime].command, ...words];
  return untilTestEnds(new Program(command, { cwd: folder, env: { AMQP_URL } }));
}

test("README's commands are enough to copy a lesson, and its types are correct", async ({ runtime, virtualHost }) => {
  const folder = newFolder();
  const repository = join(folder, "rabbitmq-by-example");
  for (const part of ["01-hello", "shared"]) {
    cpSync(join(root, part), join(repository, part), { recursive: true });
  }
  const bash = (commands: string, cwd: string) =>
    execFileSync("bash", ["-ec", commands], { cwd, stdio: "pipe", timeout: 120_000 });
  bash(blockAfter("README.md", "## Copy a lesson"), repository);
  const project = join(folder, "my-project");
  const tsc = join(root, "node_modules/.bin/tsc --noEmit --strict --module nodenext");
  const files = "--types node 01-hello/send.ts 01-hello/receive.ts";
  bash(`${tsc} --allowImportingTsExtensions ${files}`, project);
  const send = runIn(project, runtime, virtualHost, "01-hello/send.ts", "copied");
  await send.exits(0);
  const receive = runIn(project, runtime, virtualHost, "01-hello/receive.ts");
  await receive.prints(READY);
  await receive.prints("[x] Received 'copied'");
  expect([...send.stderr, ...receive.stderr]).toEqual([]);
});

test("every producer runs with amqplib's connect and the address", async ({ consume, virtualHost }) => {
  const runChanged = copyAll();
  await consume("06-rpc/server.ts");
  const producers = ["01-hello/send.ts", "02-work-queues/new-task.ts"];
  const logs = ["03-pubsub", "04-routing", "05-topics"].map((it) =>
    `${it}/emit-log.ts`
  );
  for (const script of [...producers, ...logs, "06-rpc/client.ts"]) {
    const producer = runChanged(
      [script],
      (source) =>
        source.replace('"../shared/connection.ts"', '"amqplib"')
          .replace("connect()", `connect(${JSON.stringify(virtualHost)})`),
    );
    await producer.exits(0);
    const line = /^\[x\] Sent .*Hello World!'|^\[\.\] Got 832040/;
    expect(producer.stdout.at(-1)).toMatch(line);
  }
});

withOwnNode("with amqplib's recovery, as lesson 1 shows it", {}, (test, node) => {
  /** Returns a function that starts a consumer with amqplib alone, as lesson 1 shows. */
  function startCopies(virtualHost: string) {
    const runChanged = copyAll();
    const block = blockAfter("01-hello/README.md", "### With amqplib alone");
    const [imported = "", ...lines] = block.split("\n");
    const opening = lines.join("\n").trim().replace(/^ *\/\/ ….*\n}$/m, "")
      .replace('"amqp://localhost"', JSON.stringify(virtualHost));
    const edit = (source: string) =>
      source.replace(/^import .*connection\.ts";$/m, imported)
        .replace("await stayConnected(async (connection) => {", () => opening)
        .replace(/\}\);\n$/, "}\n");
    return (words: [string, ...string[]]) => runChanged(words, edit);
  }

  test("a consumer survives a killed and a stopped broker, a closed connection, a deleted queue", async ({ virtualHost }) => {
    const start = startCopies(virtualHost);
    await survive(node(), virtualHost, ({ command }) => start(command), 20);
  });

  test("a worker goes on after a lost connection and a killed broker in the middle of a task", async ({ run, virtualHost }) => {
    const worker = startCopies(virtualHost)(["02-work-queues/worker.ts"]);
    await worker.prints(READY);
    await sleep(SETTLING);
    const losses = [
      () => closeAll(node(), virtualHost),
      () => node().crash().then(node().start),
    ];
    for (const [i, lose] of losses.entries()) {
      await run("02-work-queues/new-task.ts", `task ${i}........`).exits(0);
      await worker.prints(`[x] Received 'task ${i}........'`);
      await lose();
      await worker.warns("[!] Not acknowledged: RabbitMQ redelivers the task", i + 1);
      await worker.prints(READY, i + 2);
      // RabbitMQ 4.3 holds back the task of a lost worker for a minute, and no other.
      await run("02-work-queues/new-task.ts", `another ${i}`).exits(0);
      await worker.prints(`[x] Received 'another ${i}'`);
    }
  });
});
