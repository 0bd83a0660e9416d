/** Options of the four scripts that have some: new-task, worker, server and client. */
import { expect } from "vitest";
import { fails, test } from "./lib/lesson-test.ts";

const NEW_TASK = "02-work-queues/new-task.ts";
const WORKER = "02-work-queues/worker.ts";
const SERVER = "06-rpc/server.ts";
const CLIENT = "06-rpc/client.ts";

const mistakes = [
  { script: NEW_TASK, args: ["--count", "0"], line: range("count", 1e9) },
  { script: NEW_TASK, args: ["--count", "9999999999"], line: range("count", 1e9) },
  { script: NEW_TASK, args: ["--count=1", "--count=2"], line: range("count", 1e9) },
  { script: NEW_TASK, args: ["a", "--cuont", "2"], line: "Unknown argument: cuont" },
  { script: WORKER, args: ["--prefetch", "1.5"], line: range("prefetch", 65_535) },
  { script: WORKER, args: ["a task"], line: "Unknown argument: a task" },
  {
    script: SERVER,
    args: ["--prefetch"],
    line: "Not enough arguments following: prefetch",
  },
  { script: SERVER, args: ["--prefetch", "65536"], line: range("prefetch", 65_535) },
  { script: CLIENT, args: ["--timeout", "soon"], line: range("timeout", 86_400) },
  { script: CLIENT, args: ["1", "1e3"], line: "n must be 0, 1, 2, …" },
];

function range(option: string, limit: number): string {
  return `--${option} must be a whole number from 1 to ${limit}`;
}

test.for(mistakes)(
  "one line, and exit code 1: $script $args",
  async ({ script, args, line }, { run }) => {
    expect(await fails(run(script, ...args), `[!] ${line}`)).toEqual([]);
  },
);

test.for([NEW_TASK, WORKER, SERVER, CLIENT])(
  "--help prints the usage in English, in 80 columns: %s",
  async (script, { runWith }) => {
    const help = runWith({ env: { LC_ALL: "de_DE.UTF-8" } }, script, "--help");
    await help.exits(0);
    expect(help.stdout[0]).toMatch(`Usage: npx tsx ${script} [`);
    expect(help.stdout.join("\n")).toMatch(/--[cpt]\w+ .*\[default: \d+\]/);
    expect(help.stdout.filter((line) => line.length > 80)).toEqual([]);
    expect(help.stdout.join()).not.toContain("Optionen");
    expect(help.stderr).toEqual([]);
  },
);

test("words stay as they are: 007, -5, help", async ({ run }) => {
  const sent = run(NEW_TASK, "007", "-5", "degrees,", "please", "help");
  await sent.exits(0);
  expect(sent.stdout).toEqual(["[x] Sent '007 -5 degrees, please help'"]);
});

test("-- ends the options", async ({ run, runtime }) => {
  const separator = runtime === "bun" ? ["--", "--"] : ["--"]; // Bun keeps the first.
  const sent = run(NEW_TASK, "--count", "2", ...separator, "--count", "3");
  await sent.exits(0);
  expect(sent.stdout).toEqual(Array(2).fill("[x] Sent '--count 3'"));
});

test("-- is a word where there are no options", async ({ run, runtime }) => {
  const separator = runtime === "bun" ? ["--", "--"] : ["--"];
  const sent = run("01-hello/send.ts", ...separator, "--help");
  await sent.exits(0);
  expect(sent.stdout).toEqual(["[x] Sent '-- --help'"]);
});
