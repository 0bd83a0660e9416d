/** Lessons copied into another project: with shared/, and with amqplib alone, as the pages say. */
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, type Runtime, runtimes } from "../scripts/lib/program.ts";
import { consumers, count, READY, works } from "./lib/consumers.ts";
import {
  AWAITING_REQUESTS,
  nextRuntime,
  onChannel,
  test,
  untilTestEnds,
  WAITING_FOR_MESSAGES,
  withOwnNode,
} from "./lib/lesson-test.ts";

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

/** Copies the lessons and shared/text.ts, without shared/connection.ts. */
function copyAll(): string {
  const folder = newFolder();
  const lessons = consumers.map(([[script]]) => script.split("/")[0] ?? "");
  for (const part of [...lessons, "shared/text.ts", "package.json"]) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Changes a copied script. */
function change(folder: string, script: string, edit: (source: string) => string) {
  const changed = edit(readFileSync(join(folder, script), "utf8"));
  expect(changed).not.toContain("shared/connection.ts");
  writeFileSync(join(folder, script), changed);
}

/** Runs a script from its folder. */
function runIn(folder: string, runtime: Runtime, AMQP_URL: string, ...words: string[]) {
  const command = [...runtimes[runtime].command, ...words];
  return untilTestEnds(new Program(command, { cwd: folder, env: { AMQP_URL } }));
}

test("README's commands are enough to copy a lesson, and its types are correct", async ({ runtime, virtualHost }) => {
  const folder = newFolder();
  symlinkSync(root, join(folder, "rabbitmq-by-example"));
  const commands = blockAfter("README.md", "## Copy a lesson");
  execFileSync("bash", ["-ec", commands], { cwd: folder, stdio: "pipe" });
  const project = join(folder, "my-project");
  const options = "--noEmit --strict --module nodenext --allowImportingTsExtensions";
  const files = "--types node 01-hello/send.ts 01-hello/receive.ts";
  const tsc = [join(root, "node_modules/.bin/tsc"), options, files].join(" ");
  execFileSync("bash", ["-c", tsc], { cwd: project, stdio: "pipe" });
  const send = runIn(project, runtime, virtualHost, "01-hello/send.ts", "copied");
  await send.exits(0);
  const receive = runIn(project, runtime, virtualHost, "01-hello/receive.ts");
  await receive.prints(WAITING_FOR_MESSAGES);
  await receive.prints("[x] Received 'copied'");
  expect([...send.stderr, ...receive.stderr]).toEqual([]);
});

test("every producer runs with amqplib's connect and the address", async ({ run, runtime, virtualHost }) => {
  const folder = copyAll();
  await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
  const producers = ["01-hello/send.ts", "02-work-queues/new-task.ts"];
  const loggers = [3, 4, 5].map((n) =>
    `0${n}-${["pubsub", "routing", "topics"][n - 3]}`
  );
  const logs = loggers.map((name) => `${name}/emit-log.ts`);
  for (const script of [...producers, ...logs, "06-rpc/client.ts"]) {
    change(
      folder,
      script,
      (source) =>
        source.replace('"../shared/connection.ts"', '"amqplib"')
          .replace("connect()", `connect(${JSON.stringify(virtualHost)})`),
    );
    const producer = runIn(folder, runtime, "", script);
    await producer.exits(0);
    expect(producer.stdout.at(-1)).toMatch(
      /^\[x\] Sent .*Hello World!'|^\[\.\] Got 832040/,
    );
  }
});

withOwnNode(
  "a consumer with amqplib's recovery, as lesson 1 shows it",
  {},
  (test, node) => {
    test("comes back after its broker is killed or stopped, its connection closed, its queue deleted", async ({ virtualHost }) => {
      const folder = copyAll();
      const block = blockAfter("01-hello/README.md", "### With amqplib alone");
      const [imported = "", ...lines] = block.split("\n");
      const opening = lines.join("\n").trim().replace(/^ *\/\/ ….*\n}$/m, "")
        .replace('"amqp://localhost"', JSON.stringify(virtualHost));
      const started = consumers.map((consumer) => {
        const [[script, ...args]] = consumer;
        change(
          folder,
          script,
          (source) =>
            source.replace(/^import .*connection\.ts";$/m, imported)
              .replace("await stayConnected(async (connection) => {", () => opening)
              .replace(/\}\);\n$/, "}\n"),
        );
        const program = runIn(folder, nextRuntime(), "", script, ...args);
        return { consumer, program };
      });
      for (const { program } of started) {
        await program.prints(READY);
      }
      await sleep(2000); // A quorum queue younger than 2 s may not survive, and nothing reports its state.

      const vhost = new URL(virtualHost).pathname.slice(1);
      const close = ["close_all_connections", "--vhost", vhost, "as a test"];
      const queues = consumers.map(([, [exchange, key]]) => exchange ? "" : key);
      const deleteQueues = () =>
        onChannel(virtualHost, async (channel) => {
          for (const queue of queues) if (queue) await channel.deleteQueue(queue);
        });
      const faults: (() => Promise<unknown>)[] = [
        () => node().crash().then(node().start),
        () => node().pause().then(node().start),
        () => node().control(...close),
        deleteQueues, // Those that are not exclusive.
      ];
      for (const fault of faults) {
        const those = started.filter((_, i) => fault !== deleteQueues || queues[i]);
        const before = those.map(({ program }) => count(program, READY));
        await fault();
        for (const [i, { consumer, program }] of those.entries()) {
          await program.prints(READY, (before[i] ?? 0) + 1);
          await works(consumer, program, virtualHost);
        }
      }
    });
  },
);
