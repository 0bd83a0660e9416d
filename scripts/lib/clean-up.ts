/**
 * Cleans up after this process, even if it is killed (-9): a shell notices that its
 * standard input has ended, and runs the remaining commands.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const commands = new Set<string>();
let shell: ChildProcess | undefined;

/**
 * Registers a shell command to run when this process has ended, however it ended. The
 * latest command runs first.
 *
 * @param command a command for bash, on one line
 * @returns a function that cancels it
 */
export function runAfterExit(command: string): () => void {
  if (!shell) {
    // Each line contains all the commands, so the last line is enough.
    const script = 'while IFS= read -r line; do commands=$line; done; eval "$commands"';
    shell = spawn("bash", ["-c", script], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    shell.on("error", () => {}); // Without bash, a killed process leaves things behind.
    shell.stdin?.on("error", () => {});
    shell.unref();
  }
  const send = () => shell?.stdin?.write(`${[...commands].reverse().join("; ")}\n`);
  commands.add(command);
  send();
  return () => {
    commands.delete(command);
    send();
  };
}

/**
 * Creates a temporary folder, which is removed when this process has ended.
 *
 * @param name the prefix of its name
 * @returns its path, and a function that removes it now
 */
export function temporaryFolder(name: string): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), name));
  const cancel = runAfterExit(`rm -rf '${path.replaceAll("'", "'\\''")}'`);
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true });
      cancel();
    },
  };
}

/**
 * Calls a function when Ctrl-C, SIGTERM or a closed terminal asks the program to end.
 * https://nodejs.org/api/process.html#signal-events
 *
 * @param leave called for the first signal
 * @param hurry called for a later one, to end at once. npm and tsx pass on a Ctrl-C that
 *   has already arrived, so a signal within 100 ms is the same one.
 */
export function onStopSignal(leave: () => void, hurry: () => void): void {
  let first = 0;
  const stop = () => {
    if (first && Date.now() - first > 100) return hurry();
    if (!first) leave();
    first ||= Date.now();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop).on("SIGHUP", stop);
}
