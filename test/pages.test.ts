/** The pages say what is: their code is that of the scripts, their commands run, their output is the real one. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { createVirtualHost, deleteVirtualHost } from "../scripts/lib/broker-to-use.ts";
import { type Program, root, runScript } from "../scripts/lib/program.ts";

const lessons = readdirSync(root).filter((name) => /^0\d-/.test(name)).sort();
const pages = readdirSync(root).filter((name) => name.endsWith(".md")).concat(
  lessons.map((name) => `${name}/README.md`),
);
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** The code blocks of a page, in one language. */
const blocks = (text: string, language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))].map((
    match,
  ) => match[1] ?? "");

/** The lines without what is before and behind them, since a page shows a piece without its indentation. */
const bare = (code: string) =>
  code.split("\n").map((line) => line.trim()).join("\n").trim();

describe.each(pages)("%s", (page) => {
  const text = read(page);
  const folder = dirname(page);

  test("its TypeScript stands in a script of its folder", () => {
    const scripts = readdirSync(join(root, folder)).filter((name) =>
      name.endsWith(".ts")
    );
    const sources = scripts.map((name) => bare(read(join(folder, name))));
    for (const block of blocks(text, "ts")) {
      expect(sources.some((source) => source.includes(bare(block))), block).toBe(true);
    }
  });

  test("its commands and options are there", () => {
    const { scripts } = JSON.parse(read("package.json"));
    for (const [, name] of text.matchAll(/npm run ([\w-]+)/g)) {
      expect(scripts).toHaveProperty(String(name));
    }
    for (
      const [path] of text.matchAll(
        /\b0\d-[\w-]+\/[\w-]+\.ts|\b(scripts|shared|test)\/[\w-]+\.ts/g,
      )
    ) {
      expect(existsSync(join(root, path)), path).toBe(true);
    }
    if (folder === ".") return;
    const sources = readdirSync(join(root, folder)).map((name) =>
      read(join(folder, name))
    ).join();
    for (const [, option] of text.matchAll(/ --([a-z]+)/g)) {
      expect(sources).toContain(`[--${option} `);
    }
  });

  test("its links lead somewhere", () => {
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

/** The sections of a page that show terminals, each with what is in these. */
const sections = (page: string) =>
  read(page).split(/^(?=##+ )/m).map((text) => blocks(text, "console").join("")).filter(
    (terminals) => terminals,
  );

test.each(lessons)(
  "the terminals in %s/README.md show what is printed",
  async (lesson) => {
    const virtualHost = await createVirtualHost(inject("broker"));
    const shown: { program: Program; lines: string[] }[] = [];
    onTestFinished(async () => {
      for (const { program } of shown) program.signal("SIGKILL");
      await Promise.all(shown.map(({ program }) => program.exitCode));
      await deleteVirtualHost(inject("broker"), virtualHost);
    });

    for (const terminals of sections(`${lesson}/README.md`)) {
      for (
        const [, command = "", output = ""] of terminals.matchAll(
          /^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm,
        )
      ) {
        const [npx, tsx, script = "", ...args] = command.match(/"[^"]*"|\S+/g) ?? [];
        expect([npx, tsx], command).toEqual(["npx", "tsx"]);
        const words = args.map((arg) => arg.replaceAll('"', ""));
        const program = runScript("tsx", script, words, {
          env: { AMQP_URL: virtualHost },
        });
        const lines = output.trimEnd().split("\n");
        shown.push({ program, lines });
        // A script that stays is left running until the section ends; the other kind is waited for.
        const stays = read(script).includes("stayConnected(");
        await Promise.race([
          program.exitCode,
          ...stays ? [program.says(lines[0] ?? "")] : [],
        ]);
      }
      for (const { program, lines } of shown) {
        for (const line of lines) {
          await program.says(
            line,
            lines.filter((other) => other === line).length,
          );
        }
      }
      await Promise.all(shown.map(({ program }) => program.stop()));
    }
  },
);
