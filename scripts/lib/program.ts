/** Runs programs as a reader does, and observes their lines and their exit codes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runAfterExit } from "./clean-up.ts";

/** The folder of the project. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** The loader behind the `tsx` command. (vitest does not provide import.meta.resolve.) */
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
/** This Deno, or the one from npm. */
const deno = process.versions.deno
  ? process.execPath
  : join(root, "node_modules/.bin/deno");

/**
 * The commands that start a script. `tsx` itself kills its child process if both receive
 * a signal and the child does not say so within 60 ms, so the inner command is used here.
 */
export const runtimes = {
  tsx: { command: ["node", "--import", tsx] },
  deno: { command: [deno, "run", "--allow-net", "--allow-env", "--allow-read"] },
  /** From 22.18 on, Node strips the types itself. */
  node: { command: ["node"] },
  bun: { command: ["bun"] },
};

export type Runtime = keyof typeof runtimes;

/** How to run a program. */
export interface ProgramOptions {
  /** Environment variables to add to those of this process. */
  env?: Record<string, string>;
  /** The working directory; by default, the folder of the project. */
  cwd?: string;
  /** Called with each line as it is printed, on either stream. */
  onLine?: (line: string) => void;
}

/** A running program, in a process group of its own, which includes its children. */
export class Program {
  /** The lines on its standard output so far. */
  readonly stdout: string[] = [];
  /** The lines on its standard error so far. */
  readonly stderr: string[] = [];
  /** Its exit code, once all its output has arrived; as a shell shows it after a signal. */
  readonly exitCode: Promise<number>;
  readonly #lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #name: string;
  #ended = false;

  /** Starts the program, with its arguments. */
  constructor(command: string[], options: ProgramOptions = {}) {
    const [file = "", ...args] = command;
    this.#name = command.join(" ");
    const child = this.#child = spawn(file, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const cancel = runAfterExit(`kill -KILL -${child.pid}`);
    for (const name of ["stdout", "stderr"] as const) {
      createInterface({ input: child[name] }).on("line", (line) => {
        this[name].push(line);
        this.#lines.push(line);
        options.onLine?.(line);
        child.emit("line");
      });
    }
    this.exitCode = once(child, "close").then(() => {
      cancel();
      this.#ended = true;
      child.emit("line"); // Wakes those who wait for a line, so that they fail.
      return child.exitCode ?? 128 + constants.signals[child.signalCode ?? "SIGKILL"];
    });
  }

  /**
   * Waits until a line on standard output equals a text or matches a pattern, several
   * times if need be. Throws an error with all output after a number of seconds.
   */
  prints(expected: string | RegExp, times = 1, seconds = 20): Promise<void> {
    return this.#waitFor(this.stdout, expected, times, seconds);
  }

  /** Waits for a line on standard error, like {@linkcode prints}. */
  warns(expected: string | RegExp, times = 1, seconds = 20): Promise<void> {
    return this.#waitFor(this.stderr, expected, times, seconds);
  }

  /** Sends a signal to the program and its children. SIGINT is what Ctrl-C sends. */
  signal(name: NodeJS.Signals): void {
    try {
      if (this.#child.pid && !this.#ended) process.kill(-this.#child.pid, name);
    } catch {
      // It has just ended.
    }
  }

  /** Stops the program as Ctrl-C does, and returns its exit code. */
  async stop(): Promise<number> {
    this.signal("SIGINT");
    await this.exits();
    return this.exitCode;
  }

  /**
   * Waits until the program has ended. Throws an error with all output if it does not, or
   * with another exit code than the expected one, if any.
   */
  async exits(expected?: number, seconds = 60): Promise<void> {
    await this.#until(() => this.#ended, "ending", seconds);
    const code = await this.exitCode;
    if (code === (expected ?? code)) return;
    throw this.#failure(`ended with ${code} instead of ${expected}`);
  }

  #waitFor(lines: string[], expected: string | RegExp, times: number, seconds: number) {
    const matches = (line: string) =>
      typeof expected === "string" ? line === expected : expected.test(line);
    const what = `${expected}${times > 1 ? ` ${times} times` : ""}`;
    return this.#until(() => lines.filter(matches).length >= times, what, seconds);
  }

  async #until(isDone: () => boolean, what: string, seconds: number): Promise<void> {
    const limit = AbortSignal.timeout(seconds * 1000);
    while (!isDone()) {
      if (this.#ended) throw this.#failure(`ended without ${what}`);
      if (limit.aborted) throw this.#failure(`${seconds} s without ${what}`);
      await once(this.#child, "line", { signal: limit }).catch(() => {});
    }
  }

  #failure(what: string): Error {
    const output = this.#lines.map((line) => `  ${line}`).join("\n");
    return new Error(`${this.#name}: ${what}. It printed:\n${output}`);
  }
}

/** Starts a script of the project, given its path there, with arguments. */
export function runScript(
  runtime: Runtime,
  script: string,
  args: string[],
  options: ProgramOptions = {},
): Program {
  const command = [...runtimes[runtime].command, join(root, script), ...args];
  return new Program(command, options);
}
