/** The pages are correct: their code is that of the scripts, their commands run, and their output is the real output. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { createVirtualHost, deleteVirtualHost } from "../scripts/lib/broker-to-use.ts";
import { type Program, root, runScript } from "../scripts/lib/program.ts";
import { listings } from "./lib/article.ts";
import { runtimeAt } from "./lib/runtimes.ts";

const lessons = readdirSync(root).filter((name) => /^0\d-/.test(name)).sort();
const pages = readdirSync(root).filter((name) => name.endsWith(".md")).concat(
  lessons.map((name) => `${name}/README.md`),
);
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** The code blocks of a page, in order. */
const allBlocks = (text: string) =>
  [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map((
    [, language = "", code = ""],
  ) => ({
    language,
    code,
  }));

/** The code blocks in one language. */
const blocks = (text: string, language: string) =>
  allBlocks(text).filter((block) => block.language === language).map(({ code }) =>
    code
  );

/** Removes the indentation, because a page shows a snippet without it. */
const bare = (code: string) =>
  code.split("\n").map((line) => line.trim()).join("\n").trim();

describe.each(pages)("%s", (page) => {
  const text = read(page);
  const folder = dirname(page);

  test("its TypeScript is part of a script in its folder or in test/scripts/, and fits the page", () => {
    const scripts = [folder, "test/scripts"].flatMap((place) =>
      readdirSync(join(root, place)).filter((name) => name.endsWith(".ts")).map((
        name,
      ) => join(place, name))
    );
    const sources = scripts.map((script) => bare(read(script)));
    for (const block of blocks(text, "ts")) {
      expect(sources.some((source) => source.includes(bare(block))), block).toBe(true);
      for (const line of block.split("\n")) expect(line.length, line).toBeLessThan(89);
    }
  });

  test("its commands and options exist", () => {
    const { scripts } = JSON.parse(read("package.json"));
    for (const [, name] of text.matchAll(/npm run ([\w-]+)/g)) {
      expect(scripts).toHaveProperty(String(name));
    }
    for (
      const [path] of text.matchAll(
        /\b0\d-[\w-]+\/[\w-]+\.ts|\b(scripts|shared|test)\/[\w/-]+\.ts/g,
      )
    ) {
      expect(existsSync(join(root, path)), path).toBe(true);
    }
    const commands = text.matchAll(/npx tsx (0\d-[\w-]+\/[\w-]+\.ts)([^\n`]*)/g);
    for (const [, script = "", words = ""] of commands) {
      for (const [, option = ""] of words.matchAll(/ --([a-z]+)/g)) {
        expect(read(script)).toMatch(new RegExp(`(option|number)\\("${option}"`));
      }
    }
  });

  test("its commands paste into bash and zsh", () => {
    for (const code of blocks(text, "sh")) {
      expect(code, "a prompt cannot be pasted").not.toMatch(/^[$>%] /m);
      const unquoted = code.replace(/"[^"]*"|'[^']*'/g, "");
      expect(unquoted, code).not.toMatch(/[?*#[\]!]/);
    }
  });

  test("its diagrams have the same four colors", () => {
    const colors = [
      "  classDef producer fill:#1f6feb,stroke:#1f6feb,color:#fff",
      "  classDef exchange fill:#8250df,stroke:#8250df,color:#fff",
      "  classDef queue fill:#9a6700,stroke:#9a6700,color:#fff",
      "  classDef consumer fill:#1a7f37,stroke:#1a7f37,color:#fff",
    ];
    for (const diagram of blocks(text, "mermaid")) {
      expect(diagram.match(/^ {2}classDef .*$/gm)).toEqual(colors);
    }
  });

  test("its links have targets", () => {
    for (
      const [, path = "", anchor] of text.matchAll(
        /\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g,
      )
    ) {
      const target = path ? join(folder, path) : page;
      expect(existsSync(join(root, target)), target).toBe(true);
      if (!anchor) continue;
      const headings = [...read(target).matchAll(/^#+ (.*)$/gm)].map((match) =>
        match[1] ?? ""
      );
      const anchors = headings.map((heading) =>
        heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-")
      );
      expect(anchors).toContain(anchor);
    }
  });
});

describe.each(lessons)("%s/README.md", (lesson) => {
  const text = read(`${lesson}/README.md`);

  test("it begins and ends with links to the previous and the next page", () => {
    const [first = ""] = text.split("\n\n");
    expect(first).toContain("[all lessons](../README.md#the-lessons)");
    expect(text.split("\n\n").filter((paragraph) => paragraph === first).length).toBe(
      2,
    );
    const neighbors = [-1, 1].map((step) => lessons[lessons.indexOf(lesson) + step]);
    for (const name of neighbors) {
      if (name) expect(first).toContain(`../${name}/README.md`);
    }
  });

  test("it links to each of its scripts, and says how to start a broker", () => {
    for (
      const name of readdirSync(join(root, lesson)).filter((file) =>
        file.endsWith(".ts")
      )
    ) {
      expect(text).toContain(`[${name}](${name})`);
    }
    expect(text).toMatch(/Start a broker in its own terminal/);
    expect(text).toContain("npm run broker");
  });

  test("the Python from the article is folded", () => {
    const python = blocks(text, "python").length;
    expect(text.split("<details><summary>In the article (Python)</summary>").length - 1)
      .toBe(python);
  });
});

test.each(Object.entries(listings))(
  "every statement of the article's %s is on its page",
  (_, { page, code }) => {
    const shown = bare(blocks(read(page), "python").join("\n")).split("\n");
    for (const statement of bare(code).split("\n")) expect(shown).toContain(statement);
  },
);

/** Experiments that need more than scripts, and where they are tested. */
const testedElsewhere: Record<string, string> = {
  "01-hello: Stop the broker": "test/broker-lost.test.ts",
  "02-work-queues: Kill a worker": "test/02-work-queues.test.ts",
  "02-work-queues: Watch the queue": "test/experiments.test.ts",
  "02-work-queues: Dead-letter a poison message": "test/experiments.test.ts",
  "02-work-queues: Kill a node": "test/cluster.test.ts",
};

/** Returns the commands of a section, each with the output that the page shows for it. */
function terminals(section: string): [command: string, lines: string[]][] {
  const found: [string, string[]][] = [];
  let block: [string, string[]][] = []; // The commands of the latest block.
  for (const { language, code } of allBlocks(section)) {
    const lines = code.trimEnd().split("\n");
    if (language === "sh") {
      block = lines.map((line): [string, string[]] => [line, []]);
      found.push(...block);
    }
    if (language !== "text") continue;
    if (block.length > 1 && block.length === lines.length) { // One line for each.
      block.forEach(([, output], i) => output.push(lines[i] ?? ""));
      block = [];
      continue;
    }
    // Output that begins with its first line belongs to the consumer, wherever the page shows it.
    const isReady = /^\[[*x]\] (Waiting|Awaiting)/.test(lines[0] ?? "");
    const [, keys] = /logs of (.*)\. To exit/.exec(lines[0] ?? "") ?? [];
    const owner = found.findLast(([command]) =>
      isConsumer(command) === isReady &&
      (keys === undefined || argumentsOf(command).join(", ") === keys)
    ) ?? found.at(-1);
    owner?.[1].push(...lines);
  }
  return found.filter(([command]) => command !== "npm run broker");
}

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

test.each(lessons)(
  "the output in %s/README.md is the real output",
  async (lesson) => {
    const virtualHost = await createVirtualHost(inject("broker"));
    const all: Program[] = [];
    onTestFinished(async () => {
      for (const program of all) program.signal("SIGKILL");
      await Promise.all(all.map((program) => program.exitCode));
      await deleteVirtualHost(inject("broker"), virtualHost);
    });

    for (const section of read(`${lesson}/README.md`).split(/^(?=##+ )/m)) {
      const [, title = ""] = /^##+ (.*)/.exec(section) ?? [];
      const elsewhere = testedElsewhere[`${lesson}: ${title}`];
      if (elsewhere) {
        expect(existsSync(join(root, elsewhere)), elsewhere).toBe(true);
        continue;
      }
      const shown: { program: Program; lines: string[] }[] = [];
      for (const [command, lines] of terminals(section)) {
        const [npx, tsx, script = ""] = command.split(" ");
        expect([npx, tsx], command).toEqual(["npx", "tsx"]);
        // The output is the same on every runtime, so one is enough.
        const program = runScript(runtimeAt(0), script, argumentsOf(command), {
          env: { AMQP_URL: virtualHost },
        });
        all.push(program);
        shown.push({ program, lines });
        if (isConsumer(command)) {
          await program.says(/^\[[*x]\] (Waiting|Awaiting)|^Specify/);
        } else if (!/\.{10} --count 10$/.test(command)) await program.exits();
      }
      for (const { program, lines } of shown) {
        for (const line of lines.filter((line) => line !== "…")) {
          await program.says(line, lines.filter((other) => other === line).length);
        }
      }
      await Promise.all(shown.map(({ program }) => program.stop()));
    }
  },
);
