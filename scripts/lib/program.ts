/** Runs programs as a reader does, from the command line, observing the lines they print and their exit code. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runAfterExit } from "./clean-up.ts";

/** The folder of the project. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** The loader behind the `tsx` command. (import.meta.resolve() is not available in every vitest environment.) */
const tsxLoader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

/**
 * The runtimes of the lessons, each with the command that starts it. `tsx` starts a child process,
 * `node --import tsx`, and kills it if both receive a signal and the child does not report it within 60 ms. On a busy
 * machine that is a race, so the inner command is started directly. https://tsx.is/dev-api/node-cli
 */
export const runtimes = {
  tsx: { command: ["node", "--import", tsxLoader] },
  deno: {
    command: [
      process.versions.deno ? process.execPath : join(root, "node_modules/.bin/deno"),
      "run",
      "--allow-net",
      "--allow-env",
      "--allow-read",
    ],
  },
  /** From 22.18 on, Node strips the types itself. If the `node` on PATH is older, set NODE_BIN to a newer one. */
  node: { command: [process.env.NODE_BIN || "node"] },
  bun: { command: ["bun"] },
};

/** The name of a runtime. */
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

/** A running program, in its own process group, so that its children receive its signals too. */
export class Program {
  /** The lines on its standard output so far. */
  readonly stdout: string[] = [];
  /** The lines on its standard error so far. */
  readonly stderr: string[] = [];
  /** Its exit code, or null if a signal ended it. It resolves when the program has ended and all its output has arrived. */
  readonly exitCode: Promise<number | null>;
  readonly #lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #name: string;
  #ended = false;

  /**
   * Starts the program.
   *
   * @param command the program and its arguments
   * @param options its environment, its working directory, and a callback for its lines
   */
  constructor(command: string[], options: ProgramOptions = {}) {
    const [file = "", ...args] = command;
    this.#name = command.join(" ");
    const child = spawn(file, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.#child = child;
    const cancel = runAfterExit(`kill -KILL -${child.pid}`);
    const collect = (stream: Readable, lines: string[]) =>
      createInterface({ input: stream, crlfDelay: Infinity }).on("line", (line) => {
        lines.push(line);
        this.#lines.push(line);
        options.onLine?.(line);
        child.emit("line");
      });
    collect(child.stdout, this.stdout);
    collect(child.stderr, this.stderr);
    this.exitCode = once(child, "close").then(([code]) => {
      cancel();
      this.#ended = true;
      child.emit("line"); // Wakes those who wait for a line, so that they fail.
      return code;
    });
  }

  /**
   * Waits for a line on standard output.
   *
   * @param expected the whole line, or a pattern that matches it
   * @param times how many times it must be printed
   * @param seconds how long to wait, in seconds
   * @throws Error with the output of the program, if the line is not printed
   */
  prints(expected: string | RegExp, times = 1, seconds = 20): Promise<void> {
    return this.#waitFor(this.stdout, expected, times, seconds);
  }

  /** Waits for a line on standard error, like {@linkcode prints}. */
  warns(expected: string | RegExp, times = 1, seconds = 20): Promise<void> {
    return this.#waitFor(this.stderr, expected, times, seconds);
  }

  /** Waits for a line on either stream, like {@linkcode prints}. */
  says(expected: string | RegExp, times = 1, seconds = 20): Promise<void> {
    return this.#waitFor(this.#lines, expected, times, seconds);
  }

  /**
   * Sends a signal to the program and its children.
   *
   * @param signal SIGINT is what Ctrl-C sends
   */
  signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined || this.#ended) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // It has just ended.
    }
  }

  /**
   * Stops the program as Ctrl-C does.
   *
   * @returns its exit code
   * @throws Error with the output of the program, if it does not end within 60 seconds
   */
  stop(): Promise<number | null> {
    this.signal("SIGINT");
    return this.#end();
  }

  /**
   * Waits until the program has ended.
   *
   * @param expected the exit code it must have; by default, any
   * @param seconds how long to wait, in seconds; by default, 60
   * @throws Error with the output of the program, if it does not end, or ends with another exit code
   */
  async exits(expected?: number, seconds?: number): Promise<void> {
    const code = await this.#end(seconds);
    if (expected !== undefined && code !== expected) {
      throw this.#failure(`ended with ${code} instead of ${expected}`);
    }
  }

  #waitFor(
    lines: string[],
    expected: string | RegExp,
    times: number,
    seconds: number,
  ): Promise<void> {
    const matches = (line: string) =>
      typeof expected === "string" ? line === expected : expected.test(line);
    const what = `${expected}${times > 1 ? ` ${times} times` : ""}`;
    return this.#until(() => lines.filter(matches).length >= times, what, seconds);
  }

  async #end(seconds = 60): Promise<number | null> {
    await this.#until(() => this.#ended, "ending", seconds);
    return this.exitCode;
  }

  async #until(isDone: () => boolean, what: string, seconds: number): Promise<void> {
    const limit = AbortSignal.timeout(seconds * 1000);
    while (!isDone()) {
      if (this.#ended || limit.aborted) {
        throw this.#failure(
          `${this.#ended ? "ended" : `${seconds} s`} without ${what}`,
        );
      }
      await once(this.#child, "line", { signal: limit }).catch(() => {});
    }
  }

  #failure(what: string): Error {
    const output = this.#lines.map((line) => `  ${line}`).join("\n");
    return new Error(`${this.#name}: ${what}. It printed:\n${output}`);
  }
}

/**
 * Starts a script of the project.
 *
 * @param runtime the runtime to start it with
 * @param script its path in the project
 * @param args its arguments
 * @param options its environment, its working directory, and a callback for its lines
 * @returns the running script
 */
export function runScript(
  runtime: Runtime,
  script: string,
  args: string[],
  options: ProgramOptions = {},
): Program {
  // Bun removes a "--" right after the script.
  const words = runtime === "bun" && args[0] === "--" ? ["--", ...args] : args;
  return new Program(
    [...runtimes[runtime].command, join(root, script), ...words],
    options,
  );
}
