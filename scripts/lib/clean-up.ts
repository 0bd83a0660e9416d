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
 * Registers a command for bash, on one line, to run when this process has ended, however
 * it ended. The latest command runs first. Returns a function that cancels it.
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
 * Creates a temporary folder, which is removed when this process has ended. Takes the
 * beginning of its name, and returns its path and a function that removes it now.
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
 * Returns an AbortSignal that is aborted when Ctrl-C, SIGTERM, a closed terminal or a
 * closed output pipe asks the program to end. Another signal ends it at once.
 * https://nodejs.org/api/process.html#signal-events
 */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  let firstTime: number | undefined;
  function stop(): void {
    firstTime ??= Date.now();
    stopping.abort();
    // npm and tsx pass on a Ctrl-C that has already arrived. Later ones are a person's.
    if (Date.now() - firstTime > 100) process.exit(1);
  }
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  process.stdout.on("error", () => stopping.abort());
  return stopping.signal;
}
