/** Lessons copied into another project: with shared/, and with amqplib alone, as the pages say. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, type Runtime, runtimes } from "../scripts/lib/program.ts";
import { consumers, works } from "./lib/consumers.ts";
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

/** Creates a folder with the project's packages, which is removed after the test. */
function newFolder(): string {
  const { path, remove } = temporaryFolder("copying-test-");
  onTestFinished(remove);
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
  writeFileSync(join(path, "package.json"), '{ "type": "module" }');
  mkdirSync(join(path, "shared"));
  cpSync(join(root, "shared/text.ts"), join(path, "shared/text.ts"));
  return path;
}

/** Copies a lesson script to a folder, with some changes. */
function copy(
  folder: string,
  script: string,
  change: (source: string) => string,
): void {
  cpSync(join(root, dirname(script)), join(folder, dirname(script)), {
    recursive: true,
  });
  const source = readFileSync(join(root, script), "utf8");
  const changed = change(source);
  expect(changed).not.toContain("shared/connection.ts");
  writeFileSync(join(folder, script), changed);
}

/** Runs a script from its folder. */
function runIn(folder: string, runtime: Runtime, AMQP_URL: string, ...words: string[]) {
  const command = [...runtimes[runtime].command, ...words];
  return untilTestEnds(new Program(command, { cwd: folder, env: { AMQP_URL } }));
}

test("README's commands are enough to copy a lesson, and its types are correct", async ({ runtime, virtualHost }) => {
  const { path, remove } = temporaryFolder("copying-test-");
  onTestFinished(remove);
  symlinkSync(root, join(path, "rabbitmq-by-example"));
  const commands = blockAfter("README.md", "## Copy a lesson");
  execFileSync("bash", ["-ec", commands], { cwd: path, stdio: "pipe" });
  const project = join(path, "my-project");
  const tsc = "--noEmit --strict --module nodenext --allowImportingTsExtensions";
  execFileSync(join(root, "node_modules/.bin/tsc"), [
    ...tsc.split(" "),
    ...["--types", "node", "01-hello/send.ts", "01-hello/receive.ts"],
  ], { cwd: project, stdio: "pipe" });
  const send = runIn(project, runtime, virtualHost, "01-hello/send.ts", "copied");
  await send.exits(0);
  const receive = runIn(project, runtime, virtualHost, "01-hello/receive.ts");
  await receive.prints(WAITING_FOR_MESSAGES);
  await receive.prints("[x] Received 'copied'");
  expect([...send.stderr, ...receive.stderr]).toEqual([]);
});

/** Every producer and the client, with a line that it prints. */
const producers: [script: string, prints: string][] = [
  ["01-hello/send.ts", "[x] Sent 'Hello World!'"],
  ["02-work-queues/new-task.ts", "[x] Sent 'Hello World!'"],
  ["03-pubsub/emit-log.ts", "[x] Sent 'info: Hello World!'"],
  ["04-routing/emit-log.ts", "[x] Sent info: 'Hello World!'"],
  ["05-topics/emit-log.ts", "[x] Sent anonymous.info: 'Hello World!'"],
  ["06-rpc/client.ts", "[.] Got 832040"],
];

test("every producer runs with amqplib's connect and the address", async ({ run, runtime, virtualHost }) => {
  const folder = newFolder();
  await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
  for (const [script, line] of producers) {
    copy(
      folder,
      script,
      (source) =>
        source.replace('"../shared/connection.ts"', '"amqplib"')
          .replace("connect()", `connect(${JSON.stringify(virtualHost)})`),
    );
    const producer = runIn(folder, runtime, "", script);
    await producer.exits(0);
    expect(producer.stdout).toContain(line);
  }
});

withOwnNode(
  "a consumer with amqplib's recovery, as lesson 1 shows it",
  {},
  (test, node) => {
    test("comes back after its broker was killed, stopped, its connection closed, its queue deleted", async ({ virtualHost }) => {
      const folder = newFolder();
      const [imported = "", ...lines] = blockAfter(
        "01-hello/README.md",
        "### With amqplib alone",
      ).split("\n");
      const replacement = lines.join("\n").trim()
        .replace('"amqp://localhost"', JSON.stringify(virtualHost))
        .replace(/^ *\/\/ ….*\n}$/m, ""); // Where the page stands for the rest of the callback.
      const started = consumers.map((consumer) => {
        const [script, ...args] = consumer.script;
        copy(
          folder,
          script,
          (source) =>
            source.replace(/^import .*connection\.ts";$/m, imported)
              .replace("await stayConnected(async (connection) => {", () => replacement)
              .replace(/\}\);\n$/, "}\n"),
        );
        return { consumer, program: runIn(folder, nextRuntime(), "", script, ...args) };
      });
      for (const { consumer, program } of started) {
        await program.prints(consumer.ready);
      }
      await sleep(2000); // A quorum queue younger than 2 s may not survive, and nothing reports its state.

      const vhost = new URL(virtualHost).pathname.slice(1);
      const faults: (() => Promise<unknown>)[] = [
        () => node().crash().then(node().start),
        () => node().pause().then(node().start),
        () => node().control("close_all_connections", "--vhost", vhost, "as a test"),
      ];
      for (const fault of faults) {
        const before = started.map(({ consumer, program }) =>
          program.stdout.filter((line) => line === consumer.ready).length
        );
        await fault();
        for (const [i, { consumer, program }] of started.entries()) {
          await program.prints(consumer.ready, (before[i] ?? 0) + 1);
          await works(consumer, program, virtualHost);
        }
      }
      for (const { consumer, program } of started) {
        const [exchange, queue] = consumer.to;
        if (exchange) continue; // Its queue is exclusive: nobody else can delete it.
        const times = program.stdout.filter((line) => line === consumer.ready).length;
        await onChannel(virtualHost, (channel) => channel.deleteQueue(queue));
        await program.prints(consumer.ready, times + 1);
        await works(consumer, program, virtualHost);
      }
    });
  },
);
