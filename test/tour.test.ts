/** `npm start`: its words, colors and width, its picture, and --step. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, runtimes } from "../scripts/lib/program.ts";
import { untilTestEnds, whereInstalled } from "./lib/lesson-test.ts";

// The environment of the test run must not matter.
vi.stubEnv("FORCE_COLOR", undefined);
vi.stubEnv("NO_COLOR", undefined);

const picture = readFileSync(join(root, ".github/tour.svg"), "utf8");
const NOT_WAITING = "Standard input is not a terminal, so --step does not wait.";

/** Runs the tour in a shell, which sets its standard input. "$@" stands for the command. */
function tourIn(shell: string, env: Record<string, string>, ...args: string[]) {
  const command = [...runtimes.tsx.command, join(root, "scripts/tour.ts"), ...args];
  return untilTestEnds(new Program(["bash", "-c", shell, "bash", ...command], { env }));
}

/** Returns the lines of text in a picture, without the first one, which is the command. */
function linesOf(svg: string): string[] {
  const found = [...svg.matchAll(/<text [^>]*>(.*)<\/text>/g)].slice(1);
  return found.map(([, line = ""]) => line.replace(/<[^>]*>/g, ""));
}

/** Sorts lines, because those of several programs interleave differently every time. */
function sorted(lines: string[]): string[] {
  const anyWorker = lines.map((line) => line.replace(/^worker \d/, "worker"));
  return anyWorker.filter((line) => line && line !== NOT_WAITING).sort();
}

whereInstalled("the tour", () => {
  test("piped, it has no color, and prints the words of its picture", async () => {
    const { path: folder, remove } = temporaryFolder("tour-test-");
    onTestFinished(remove);
    // The lines of a pipe are not a person who presses Enter.
    const tour = tourIn('yes | "$@"', { TMPDIR: folder }, "--step", "2");
    await tour.exits(0, 100);
    expect(tour.stdout.join("\n")).not.toContain("\x1b");
    expect(tour.stdout).toContain(NOT_WAITING);
    expect(sorted(tour.stdout)).toEqual(sorted(linesOf(picture)));
    // (tsx keeps its cache in this folder.)
    const left = readdirSync(folder).filter((name) => name.startsWith("rabbitmq"));
    expect(left).toEqual([]);
  });

  test("with FORCE_COLOR, it is in color, and at most 80 columns wide", async () => {
    const tour = tourIn('exec "$@" <&-', { FORCE_COLOR: "1" }, "--step", ..."13456");
    await tour.exits(0, 100);
    expect(tour.stderr).toEqual([]);
    expect(tour.stdout.join("\n")).toContain(
      "\x1b[1m\x1b[94mclient    \x1b[39m\x1b[22m",
    );
    const lines = tour.stdout.map((line) => stripVTControlCharacters(line));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines).toContain(NOT_WAITING);
    expect(lines.filter((line) => line.includes("Press Enter"))).toEqual([]);
    expect(lines.filter((line) => /^── \d {2}/.test(line))).toHaveLength(5);
    expect(lines).toContain("   (send) ─→ {default exchange} ─→ [hello] ─→ (receive)");
  });

  // script(1) from util-linux provides the terminal, and a named pipe the keyboard.
  test.skipIf(process.platform !== "linux")(
    "at a terminal, --step waits for Enter, and NO_COLOR works",
    async () => {
      const { path: folder, remove } = temporaryFolder("tour-test-");
      onTestFinished(remove);
      const keyboard = join(folder, "keyboard");
      const shell =
        'mkfifo "$KEYBOARD" && exec script -qefc "${*@Q}" /dev/null <>"$KEYBOARD"';
      const env = { KEYBOARD: keyboard, NO_COLOR: "1", TERM: "xterm" };
      const tour = tourIn(shell, env, "--step", "1", "3");
      await tour.prints("Press Enter for the next lesson ...", 1, 60);
      expect(tour.stdout.join("\n")).not.toContain("Publish/Subscribe");
      writeFileSync(keyboard, "\n");
      await tour.exits(0, 100);
      expect(tour.stdout.join("\n")).toContain("Publish/Subscribe");
      expect(tour.stdout.join("\n")).not.toContain("\x1b");
    },
  );
});
