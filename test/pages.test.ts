/** The pages are correct: their code is that of the scripts, their commands run, their output is real. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect } from "vitest";
import { type Program, root } from "../scripts/lib/program.ts";
import { READY } from "./lib/consumers.ts";
import { test } from "./lib/lesson-test.ts";

const read = (path: string) => readFileSync(join(root, path), "utf8");
const filesIn = (folder: string, extension: string) =>
  readdirSync(join(root, folder)).filter((name) => name.endsWith(extension));
const lessons = readdirSync(root).filter((name) => /^0\d-/.test(name)).sort();
const pages = ["", ...lessons, "orders", "recipes"].flatMap((folder) =>
  filesIn(folder, ".md").map((name) => join(folder, name))
);

/** The code blocks of a page, in order. */
const allBlocks = (text: string) =>
  [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .map(([, language = "", code = ""]) => ({ language, code }));

/** The code blocks in one language. */
const blocks = (text: string, language: string) =>
  allBlocks(text).flatMap((block) => block.language === language ? [block.code] : []);

/** Removes the indentation, because a page shows a snippet without it. */
const bare = (code: string) => code.trim().replace(/^ +/gm, "");

/** The anchor of a heading, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");

describe.each(pages)("%s", (page) => {
  const [text, folder] = [read(page), dirname(page)];

  test("its TypeScript is part of a script in its folder, and fits the page", () => {
    const scripts = folder === "." ? "01-hello" : folder; // README shows lesson 1.
    const sources = filesIn(scripts, ".ts").map((name) =>
      bare(read(join(scripts, name)))
    );
    for (const block of blocks(text, "ts")) {
      if (block.includes("// … what stands in receive.ts")) continue; // See copying.test.ts.
      expect(sources.some((source) => source.includes(bare(block))), block).toBe(true);
      for (const line of block.split("\n")) expect(line.length, line).toBeLessThan(89);
    }
  });

  test("its commands and options exist, and paste into bash and zsh", () => {
    const { scripts } = JSON.parse(read("package.json"));
    for (const [, name = ""] of text.matchAll(/npm run ([\w-]+)/g)) {
      expect(scripts).toHaveProperty(name);
    }
    const paths =
      /\b0\d-[\w-]+\/[\w-]+\.ts|\b(orders|recipes|scripts|shared|test)\/[\w/-]+\.ts/g;
    for (const [path] of text.matchAll(paths)) {
      expect(existsSync(join(root, path)), path).toBe(true);
    }
    const commands = text.matchAll(/npx tsx (0\d-[\w-]+\/[\w-]+\.ts)([^\n`]*)/g);
    for (const [, script = "", words = ""] of commands) {
      for (const [, option = ""] of words.matchAll(/ --([a-z]+)/g)) {
        expect(read(script)).toMatch(RegExp(`ption[s]?\\(\\{? ?"?${option}`));
      }
    }
    for (const code of blocks(text, "sh")) {
      expect(code, "a prompt cannot be pasted").not.toMatch(/^[$>%] /m);
      const unquoted = code.replace(/"[^"]*"|'[^']*'/g, "");
      expect(unquoted, code).not.toMatch(/[?*#[\]!]/);
    }
  });

  test("its links have targets, and the Python is folded", () => {
    const links = text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g);
    for (const [, path = "", anchor] of links) {
      const target = path ? join(folder, path) : page;
      expect(existsSync(join(root, target)), target).toBe(true);
      if (!anchor) continue;
      const headings = [...read(target).matchAll(/^#+ (.*)$/gm)];
      expect(headings.map(([, heading = ""]) => anchorOf(heading))).toContain(anchor);
    }
    const folds = text.split("<details><summary>In the article (Python)</summary>");
    expect(folds.length - 1).toBe(blocks(text, "python").length);
  });
});

test("each lesson begins and ends with links, and names its scripts", () => {
  for (const [i, lesson] of lessons.entries()) {
    const text = read(`${lesson}/README.md`);
    const [first = "", ...others] = text.split("\n\n");
    expect(others, lesson).toContain(first);
    for (const neighbor of [lessons[i - 1], lessons[i + 1]]) {
      if (neighbor) expect(first).toContain(`../${neighbor}/README.md`);
    }
    for (const name of filesIn(lesson, ".ts")) {
      if (!/^not|^order/.test(name)) expect(text).toContain(`[${name}](${name})`);
    }
    expect(text, lesson).toContain("npm run broker");
  }
});

/** Experiments that need more than scripts of their lesson, and where they are tested. */
const testedElsewhere: Record<string, string> = {
  "01-hello: Stop the broker": "test/broker-lost.test.ts",
  "02-work-queues: Dead-letter a poison message": "test/experiments.test.ts",
  "02-work-queues: Kill a worker": "test/02-work-queues.test.ts",
};

/** Tells whether a command runs until Ctrl-C. */
function isConsumer(command: string): boolean {
  const [, , script = ""] = command.split(" ");
  return existsSync(join(root, script)) && read(script).includes("stayConnected(");
}

/** Waits for a line of a program, wherever it prints it. */
const says = (program: Program, line: string | RegExp) =>
  Promise.any([program.prints(line), program.warns(line)]);

/** A block of commands, the output that the page shows for it, and its programs. */
type Terminal = { commands: string[]; lines: string[]; programs: Program[] };

/** Returns the terminals of a section. */
function terminals(section: string): Terminal[] {
  const found: Terminal[] = [];
  for (const { language, code } of allBlocks(section)) {
    const lines = code.trimEnd().split("\n");
    if (language === "sh" && code !== "npm run broker\n") {
      found.push({ commands: lines, lines: [], programs: [] });
    }
    if (language !== "text") continue;
    const runs = ({ commands: [command = ""] }: Terminal) => isConsumer(command);
    // Output that begins with "Waiting" is a consumer's, wherever the page shows it. (Of two
    // consumers with the same command, only one is started.)
    const owner = READY.test(lines[0] ?? "")
      ? found.find((one) => runs(one) && one.lines.length === 0)
      : found.findLast((one) => !runs(one)) ?? found.at(-1);
    owner?.lines.push(...lines);
  }
  return found;
}

for (const lesson of lessons) {
  test(`the output in ${lesson}/README.md is the real output`, async ({ run }) => {
    for (const section of read(`${lesson}/README.md`).split(/^(?=##+ )/m)) {
      const [, title = ""] = /^##+ (.*)/.exec(section) ?? [];
      const elsewhere = testedElsewhere[`${lesson}: ${title}`];
      if (elsewhere) expect(existsSync(join(root, elsewhere)), elsewhere).toBe(true);
      if (elsewhere) continue;
      const all = terminals(section);
      for (const { commands, programs } of all) {
        for (const command of commands) {
          const words = command.matchAll(/"([^"]*)"|\S+/g);
          const [npx, tsx, script = "", ...args] = [...words].map(([it, text]) =>
            text ?? it
          );
          expect([npx, tsx], command).toEqual(["npx", "tsx"]);
          const program = run(script, ...args);
          programs.push(program);
          if (isConsumer(command)) await says(program, /^\[[*x]\] A?[Ww]aiting|^Usage/);
          else await program.exits();
        }
      }
      for (const { lines, programs } of all) {
        for (const line of lines.filter((line) => line !== "…")) {
          await Promise.any(programs.map((program) => says(program, line)));
        }
      }
      await Promise.all(all.flatMap(({ programs }) => programs.map((it) => it.stop())));
    }
  });
}
