/** `npm start`: its words, colors and width, its picture, and --step. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import { afterAll, expect, test, vi } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, runtimes } from "../scripts/lib/program.ts";
import { untilTestEnds, whereInstalled } from "./lib/lesson-test.ts";

// The environment of the test run must not matter.
for (const name of ["FORCE_COLOR", "NO_COLOR"]) vi.stubEnv(name, undefined);

const NOT_WAITING = "Standard input is not a terminal, so --step does not wait.";
const svg = readFileSync(join(root, ".github/tour.svg"), "utf8");
const [, ...picture] = [...svg.matchAll(/<text .*>/g)] // But the command, which is first.
  .map(([line]) => line.replace(/<[^>]*>/g, ""));

/** Sorts lines, because those of several programs interleave differently every time. */
const sorted = (lines: string[]) =>
  lines.filter(Boolean).map((line) => line.replace(/^worker \d/, "worker")).sort();

const runIn = (shell: string, env: Record<string, string>) =>
  untilTestEnds(new Program(["bash", "-c", shell], { env }));

whereInstalled("the tour", () => {
  const { path: folder, remove } = temporaryFolder("tour-test-");
  afterAll(remove);

  test("in a pipe, it prints README's picture, without color, and does not wait", async () => {
    // The lines of a pipe are not a person who presses Enter.
    const command = "yes | node --import tsx scripts/tour.ts --step 2";
    const tour = runIn(command, { TMPDIR: folder });
    await tour.exits(0, 100);
    expect(sorted(tour.stdout)).toEqual(sorted([...picture, NOT_WAITING]));
    expect(readdirSync(folder).filter((name) => /^rabbitmq/.test(name))).toEqual([]);
  });

  // script(1) from util-linux provides the terminal, and a named pipe the keyboard.
  test.skipIf(process.platform !== "linux")(
    "in a terminal, it has colors and at most 80 columns; --step waits for Enter",
    async () => {
      const env = { KEYBOARD: join(folder, "keyboard"), TERM: "xterm-256color" };
      const deno = runtimes.deno.command[0]; // It starts the scripts of the tour sooner.
      const play = `${deno} run --allow-all scripts/tour.ts --step 1 3 4 5 6`;
      const command = `env --unset=CI ${play}`; // In CI, there are no colors.
      const terminal = `script -qefc "${command}" /dev/null`;
      const tour = runIn(`mkfifo "$KEYBOARD"; exec ${terminal} <>"$KEYBOARD"`, env);
      const lines = () => tour.stdout.map((line) => stripVTControlCharacters(line));
      const titles = () => lines().filter((line) => /^── \d {2}/.test(line));
      for (const played of [1, 2, 3, 4]) {
        await tour.prints(/Press Enter for the next lesson/, played, 60);
        expect(titles()).toHaveLength(played);
        writeFileSync(env.KEYBOARD, "\n");
      }
      await tour.exits(0, 100);
      expect(tour.stdout.join()).toContain("\x1b[1m\x1b[94mclient    \x1b[");
      expect(lines().filter((line) => line.length > 80)).toEqual([]);
      expect(lines()).toContain(
        "   (send) ─→ {default exchange} ─→ [hello] ─→ (receive)",
      );
    },
  );
});
