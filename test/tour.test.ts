/** `npm start`: its words, colors and width, its picture, and --step. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import { afterAll, expect, test, vi } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root } from "../scripts/lib/program.ts";
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

const TOUR = "node --import tsx scripts/tour.ts --step";
const runIn = (shell: string, env: Record<string, string>) =>
  untilTestEnds(new Program(["bash", "-c", shell], { env }));

whereInstalled("the tour", () => {
  const { path: folder, remove } = temporaryFolder("tour-test-");
  afterAll(remove);

  test("piped: no color, unless it is forced; at most 80 columns; its picture", async () => {
    // The lines of a pipe are not a person who presses Enter.
    const plain = runIn(`yes | ${TOUR} 2`, { TMPDIR: folder });
    const colored = runIn(`${TOUR} 1 3 4 5 6 <&-`, { FORCE_COLOR: "1" });
    for (const tour of [plain, colored]) await tour.exits(0, 100);
    expect(sorted(plain.stdout)).toEqual(sorted([...picture, NOT_WAITING]));
    expect(readdirSync(folder).filter((name) => /^rabbitmq/.test(name))).toEqual([]);

    expect(colored.stderr).toEqual([]);
    expect(colored.stdout.join()).toContain("\x1b[1m\x1b[94mclient    \x1b[");
    const lines = colored.stdout.map((line) => stripVTControlCharacters(line));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.filter((line) => /^── \d {2}/.test(line))).toHaveLength(5);
    expect(lines).toContain("   (send) ─→ {default exchange} ─→ [hello] ─→ (receive)");
  });

  // script(1) from util-linux provides the terminal, and a named pipe the keyboard.
  test.skipIf(process.platform !== "linux")("--step waits for Enter", async () => {
    const env = { KEYBOARD: join(folder, "keyboard"), NO_COLOR: "1", TERM: "xterm" };
    const terminal = `script -qefc "${TOUR} 1 6" /dev/null`;
    const tour = runIn(`mkfifo "$KEYBOARD"; exec ${terminal} <>"$KEYBOARD"`, env);
    await tour.prints("Press Enter for the next lesson ...", 1, 60);
    expect(tour.stdout.join()).not.toContain("RPC");
    writeFileSync(env.KEYBOARD, "\n");
    await tour.exits(0, 100);
    expect(tour.stdout.join()).toContain("RPC");
    expect(tour.stdout.join()).not.toContain("\x1b");
  });
});
