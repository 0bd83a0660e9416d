/** The pages are correct: their code is that of the scripts, their commands run, their output is real. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { Program, root } from "../scripts/lib/program.ts";
import { test as lessonTest } from "./lib/lesson-test.ts";

const lessons = readdirSync(root).filter((name) => /^0\d-/.test(name)).sort();
const pages = ["", ...lessons].flatMap((folder) =>
  readdirSync(join(root, folder)).filter((name) => name.endsWith(".md")).map((name) =>
    join(folder, name)
  )
);
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** The code blocks of a page, in order. */
const allBlocks = (text: string) =>
  [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .map(([, language = "", code = ""]) => ({ language, code }));

/** The code blocks in one language. */
const blocks = (text: string, language: string) =>
  allBlocks(text).filter((block) => block.language === language)
    .map(({ code }) => code);

/** Removes the indentation, because a page shows a snippet without it. */
const bare = (code: string) =>
  code.split("\n").map((line) => line.trim()).join("\n").trim();

test("the pages are short", () => {
  const words = (page: string) => read(page).split(/\s+/).filter((word) => word).length;
  const lines = (page: string) => read(page).trimEnd().split("\n").length;
  const limits: Record<string, number> = {
    "README.md": 130,
    "02-work-queues/orders.md": 150,
    "02-work-queues/cluster.md": 130,
  };
  for (const page of pages) {
    expect(lines(page), page).toBeLessThan((limits[page] ?? 220) + 1);
  }
  expect(words("README.md")).toBeLessThan(1151);
  const all = pages.filter((page) => page !== "CONTRIBUTING.md");
  expect(all.map(words).reduce((sum, n) => sum + n)).toBeLessThan(6501);
});

describe.each(pages)("%s", (page) => {
  const text = read(page);
  const folder = dirname(page);

  test("its TypeScript is part of a script in its folder, and fits the page", () => {
    const scripts = readdirSync(join(root, folder)).filter((name) =>
      name.endsWith(".ts")
    );
    const sources = scripts.map((name) => bare(read(join(folder, name))));
    for (const block of blocks(text, "ts")) {
      if (block.includes("// … the rest of the callback")) continue; // See copying.test.ts.
      expect(sources.some((source) => source.includes(bare(block))), block).toBe(true);
      for (const line of block.split("\n")) expect(line.length, line).toBeLessThan(89);
    }
  });

  test("its commands and options exist, and paste into bash and zsh", () => {
    const { scripts } = JSON.parse(read("package.json"));
    for (const [, name] of text.matchAll(/npm run ([\w-]+)/g)) {
      expect(scripts).toHaveProperty(String(name));
    }
    const paths = /\b0\d-[\w-]+\/[\w-]+\.ts|\b(scripts|shared|test)\/[\w/-]+\.ts/g;
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
      const headings = [...read(target).matchAll(/^#+ (.*)$/gm)].map((
        [, heading = ""],
      ) => heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-"));
      if (anchor) expect(headings).toContain(anchor);
    }
    const folds = text.split("<details><summary>In the article (Python)</summary>");
    expect(folds.length - 1).toBe(blocks(text, "python").length);
  });
});

test.each(lessons)(
  "%s/README.md begins and ends with links, and names its scripts",
  (lesson) => {
    const text = read(`${lesson}/README.md`);
    const [first = "", ...others] = text.split("\n\n");
    expect(others).toContain(first);
    const neighbors = [-1, 1].map((step) => lessons[lessons.indexOf(lesson) + step]);
    for (const name of neighbors) {
      if (name) {
        expect(first).toContain(`../${name}/README.md`);
      }
    }
    for (const name of readdirSync(join(root, lesson))) {
      if (name.endsWith(".ts") && !/^not|^order/.test(name)) {
        expect(text).toContain(`[${name}](${name})`);
      }
    }
    expect(text).toContain("npm run broker");
  },
);

/** Experiments that need more than scripts of their lesson, and where they are tested. */
const testedElsewhere: Record<string, string> = {
  "01-hello: Stop the broker": "test/broker-lost.test.ts",
  "02-work-queues: Watch the queue": "test/experiments.test.ts",
  "02-work-queues: Dead-letter a poison message": "test/experiments.test.ts",
  "02-work-queues: Kill a worker": "test/02-work-queues.test.ts",
};

/** Returns the arguments after the script in a command, without their quotes. */
function argumentsOf(command: string): string[] {
  const words: string[] = command.match(/"[^"]*"|\S+/g) ?? [];
  return words.slice(3).map((word) => word.replaceAll('"', ""));
}

/** Tells whether a command runs until Ctrl-C. */
function isConsumer(command: string): boolean {
  const [, , script = ""] = command.split(" ");
  return existsSync(join(root, script)) && read(script).includes("stayConnected(");
}

/** Returns the blocks of commands of a section, each with the output that the page shows. */
function terminals(section: string) {
  const found: { commands: string[]; lines: string[] }[] = [];
  for (const { language, code } of allBlocks(section)) {
    const lines = code.trimEnd().split("\n");
    if (language === "sh" && code !== "npm run broker\n") {
      found.push({ commands: lines, lines: [] });
    }
    if (language !== "text") continue;
    const runs = ({ commands: [command = ""] }: typeof found[0]) => isConsumer(command);
    // Output that begins with "Waiting" is a consumer's, wherever the page shows it. (Of two
    // consumers with the same command, only one is started.)
    const isReady = /^\[[*x]\] A?[Ww]aiting/.test(lines[0] ?? "");
    const owner = isReady
      ? found.find((one) => runs(one) && one.lines.length === 0)
      : found.findLast((one) => !runs(one)) ?? found.at(-1);
    owner?.lines.push(...lines);
  }
  return found;
}

lessonTest.for(lessons)(
  "the output in %s/README.md is the real output",
  async (lesson, { run }) => {
    for (const section of read(`${lesson}/README.md`).split(/^(?=##+ )/m)) {
      const [, title = ""] = /^##+ (.*)/.exec(section) ?? [];
      const elsewhere = testedElsewhere[`${lesson}: ${title}`];
      if (elsewhere) expect(existsSync(join(root, elsewhere)), elsewhere).toBe(true);
      if (elsewhere) continue;
      const shown: [Program[], string[]][] = [];
      for (const { commands, lines } of terminals(section)) {
        const programs: Program[] = [];
        shown.push([programs, lines]);
        for (const command of commands) {
          const [npx, tsx, script = ""] = command.split(" ");
          expect([npx, tsx], command).toEqual(["npx", "tsx"]);
          const program = run(script, ...argumentsOf(command));
          programs.push(program);
          if (isConsumer(command)) await program.says(/^\[[*x]\] A?[Ww]aiting|^Usage/);
          else await program.exits();
        }
      }
      for (const [programs, lines] of shown) {
        for (const line of lines.filter((line) => line !== "…")) {
          await Promise.any(programs.map((program) => program.says(line)));
        }
      }
      await Promise.all(
        shown.flat().flat().map((one) => one instanceof Program && one.stop()),
      );
    }
  },
);
