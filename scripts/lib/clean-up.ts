/**
 * Leaves nothing behind, even if this process is killed (-9, or Ctrl-C on a test run): a shell outlives it by a moment, sees
 * the end of the pipe between them, and does what is then still to be done.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const todo = new Set<string>();
let shell: ChildProcess | undefined;

/**
 * Has a shell command run when this process has ended, however it ended. What was asked for last is done first.
 *
 * @param command a command for bash, on one line
 * @returns takes it back, when it is done already
 */
export function afterTheEnd(command: string): () => void {
  if (!shell) {
    // It keeps the last line only: every line holds all that is to be done.
    const script = 'while IFS= read -r line; do todo=$line; done; eval "$todo"';
    shell = spawn("bash", ["-c", script], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    shell.on("error", () => {}); // Where there is no bash, a killed process leaves behind what it has begun.
    shell.stdin?.on("error", () => {});
    shell.unref();
  }
  const tell = () => shell?.stdin?.write(`${[...todo].reverse().join("; ")}\n`);
  todo.add(command);
  tell();
  return () => {
    todo.delete(command);
    tell();
  };
}

/**
 * Makes a folder that is gone when this process is.
 *
 * @param name what the name of the folder begins with
 * @returns its path, and what removes it earlier
 */
export function temporaryFolder(name: string): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), name));
  const removed = afterTheEnd(`rm -rf '${path.replaceAll("'", "'\\''")}'`);
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true });
      removed();
    },
  };
}
