/** A lesson copied into another project: with shared/, and without shared/connection.ts. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { expect, onTestFinished } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, type Runtime, runtimes } from "../scripts/lib/program.ts";
import {
  AWAITING_REQUESTS,
  onEveryRuntime,
  untilTestEnds,
  WAITING_FOR_MESSAGES,
} from "./lib/lesson-test.ts";

/** Returns the contents of a file from README's section. */
function fileFromReadme(name: string): string {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, section = ""] = readme.split(/^## Copy a lesson/m);
  const [, text = ""] =
    new RegExp(`\`${name}\`[^]*?\`\`\`json\n([^]*?)\`\`\``).exec(section) ?? [];
  return text;
}

/** Creates a project as a reader does, with the packages of README's section. */
function newProject(...folders: string[]): string {
  const { path, remove } = temporaryFolder("copying-test-");
  onTestFinished(remove);
  for (const name of ["package.json", "tsconfig.json"]) {
    writeFileSync(join(path, name), fileFromReadme(name));
  }
  for (const folder of folders) {
    cpSync(join(root, folder), join(path, folder), { recursive: true });
  }
  mkdirSync(join(path, "node_modules"));
  const { dependencies, devDependencies } = JSON.parse(fileFromReadme("package.json"));
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    mkdirSync(join(path, "node_modules", name, ".."), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(path, "node_modules", name));
  }
  return path;
}

/** Runs a script of the new project, from its folder. */
function runIn(
  folder: string,
  runtime: Runtime,
  AMQP_URL: string,
  script: string,
  ...args: string[]
): Program {
  const command = [...runtimes[runtime].command, script, ...args];
  return untilTestEnds(new Program(command, { cwd: folder, env: { AMQP_URL } }));
}

/** Every producer and the client, with a line that it prints. */
const producers: [script: string, prints: string | RegExp][] = [
  ["01-hello/send.ts", "[x] Sent 'Hello World!'"],
  ["02-work-queues/new-task.ts", "[x] Sent 'Hello World!'"],
  ["03-pubsub/emit-log.ts", "[x] Sent 'info: Hello World!'"],
  ["04-routing/emit-log.ts", "[x] Sent info: 'Hello World!'"],
  ["05-topics/emit-log.ts", "[x] Sent anonymous.info: 'Hello World!'"],
  ["06-rpc/client.ts", "[.] Got 832040"],
];

onEveryRuntime("copying", (test) => {
  test("the folder, shared/ and the packages are enough, and the types are correct", async ({ runtime, virtualHost }) => {
    const project = newProject("01-hello", "shared");
    const tsc = join(root, "node_modules/.bin/tsc");
    execFileSync(tsc, ["--project", project], { stdio: "pipe", env: process.env });
    const send = runIn(project, runtime, virtualHost, "01-hello/send.ts", "copied");
    await send.exits(0);
    expect(send.stdout).toEqual(["[x] Sent 'copied'"]);
    const receive = runIn(project, runtime, virtualHost, "01-hello/receive.ts");
    await receive.prints(WAITING_FOR_MESSAGES);
    await receive.prints("[x] Received 'copied'");
    expect(await receive.stop()).toBe(0);
    expect([...send.stderr, ...receive.stderr]).toEqual([]);
  });

  test("every producer runs with amqplib's connect, after changing the import and the address", async ({ run, runtime, virtualHost }) => {
    const project = newProject(
      ...producers.map(([script]) => script.split("/")[0] ?? ""),
    );
    mkdirSync(join(project, "shared"));
    for (const file of ["text.ts", "progress.ts"]) {
      cpSync(join(root, "shared", file), join(project, "shared", file));
    }
    await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
    for (const [script, line] of producers) {
      const source = readFileSync(join(root, script), "utf8");
      const changed = source
        .replace('from "../shared/connection.ts"', 'from "amqplib"')
        .replace("connect()", `connect(${JSON.stringify(virtualHost)})`);
      writeFileSync(join(project, script), changed);
      const producer = runIn(project, runtime, "", script);
      await producer.exits(0);
      expect(producer.stdout).toContain(line);
    }
  });
});
