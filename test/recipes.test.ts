/** Each recipe prints what its page shows, and leaves nothing behind. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject } from "vitest";
import { callManagement } from "../scripts/lib/management.ts";
import { type Program, root } from "../scripts/lib/program.ts";
import { freePort } from "./lib/ports.ts";
import { vhostOf } from "./lib/broker.ts";
import { fails, test } from "./lib/lesson-test.ts";

const page = readFileSync(join(root, "recipes/README.md"), "utf8");
const sections = page.split(/^## /m).slice(1);
const recipes = sections.map((section) => {
  const [, name = ""] = /^([\w-]+)\n/.exec(section) ?? [];
  const [, output = ""] = /^```text\n(.*?)^```$/ms.exec(section) ?? [];
  return { name: `${name}.ts`, output };
});

test("the page has a row and a section for every recipe, and each says how to run it", () => {
  const files = readdirSync(join(root, "recipes")).filter((it) => it.endsWith(".ts"));
  expect(recipes.map(({ name }) => name).sort()).toEqual(files.sort());
  const rows = [...page.matchAll(/^\| .*\[([\w-]+)\]\(#\1\) +\|/gm)];
  expect(rows.map(([, name]) => `${name}.ts`)).toEqual(recipes.map(({ name }) => name));
  for (const file of files) {
    const source = readFileSync(join(root, "recipes", file), "utf8");
    expect(source).toMatch(
      RegExp(`^/\\*\\*\n \\* .*\\?\n \\*     npx tsx recipes/${file}\n`),
    );
  }
});

/** How fast it publishes depends on the machine. */
const withoutRates = (text: string) => text.replace(/\d+\/s/g, "N/s");

/** Lists the queues and exchanges of a virtual host, without those of RabbitMQ itself. */
async function leftOn(url: string): Promise<string[]> {
  const names: string[] = [];
  for (const kind of ["queues", "exchanges"]) {
    const path = `${kind}/${vhostOf(url)}`;
    const list = await callManagement(inject("broker"), "GET", path);
    for (const { name } of list as { name: string }[]) names.push(name);
  }
  return names.filter((name) => name !== "" && !name.startsWith("amq."));
}

/** Waits until a recipe has ended well, and compares all of its output. */
async function prints(program: Program, output: string, url: string) {
  await program.exits(0);
  const printed = program.stdout.map((line) => `${line}\n`).join("");
  expect(withoutRates(printed)).toBe(withoutRates(output));
  expect(program.stderr).toEqual([]);
  await expect.poll(() => leftOn(url)).toEqual([]);
}

describe.each(recipes)("$name", ({ name, output }) => {
  test("prints what its page shows, twice in a row, also after a run that was killed, and leaves nothing behind", async ({ run, virtualHost }) => {
    const killed = run(`recipes/${name}`);
    await killed.prints(/./);
    killed.signal("SIGKILL");
    await killed.exits();
    await prints(run(`recipes/${name}`), output, virtualHost);
    await prints(run(`recipes/${name}`), output, virtualHost);
  });
});

test("without a broker, each recipe says so in one line, and fails", async ({ runWith }) => {
  const AMQP_URL = `amqp://127.0.0.1:${await freePort()}`;
  const programs = recipes.map(({ name }) =>
    runWith({ env: { AMQP_URL } }, `recipes/${name}`)
  );
  const line = RegExp(`^\\[!\\] ${AMQP_URL}: nothing is listening there\\. `);
  for (const program of programs) expect(await fails(program, line)).toEqual([]);
});
