/** A program run as a reader runs it: started with a command line, judged by the lines it prints and its exit code. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterTheEnd } from "./clean-up.ts";

/** The folder of the project. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** What `tsx` is behind its command; import.meta.resolve() would name it too, but vitest does not have that everywhere. */
const tsxLoader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

/**
 * The runtimes that a lesson may be run with: what a person types, and what is started for it. The command `tsx` starts
 * `node --import tsx` as a process of its own, and kills it when both get a signal and it does not report that within
 * 60 ms; on a busy machine that is a matter of luck. So the inner command is started here.
 * https://tsx.is/dev-api/node-cli
 */
export const runtimes = {
  tsx: { typed: "npx tsx", command: ["node", "--import", tsxLoader] },
  deno: {
    typed: "deno run --allow-net --allow-env --allow-read",
    command: [
      process.versions.deno ? process.execPath : join(root, "node_modules/.bin/deno"),
      "run",
      "--allow-net",
      "--allow-env",
      "--allow-read",
    ],
  },
  /** Plain Node strips the types itself from 22.18 on; NODE_BIN names one where the `node` on PATH is older. */
  node: { typed: "node", command: [process.env.NODE_BIN || "node"] },
  bun: { typed: "bun", command: ["bun"] },
};

/** The name of one of the {@linkcode runtimes}. */
export type Runtime = keyof typeof runtimes;

/** How a program is run. */
export interface ProgramOptions {
  /** Environment variables besides those of this process. */
  env?: Record<string, string>;
  /** The folder to run in; the project's if none is given. */
  cwd?: string;
  /** Called with every line as it is printed, on whichever stream. */
  onLine?: (line: string) => void;
}

/** A running program, in a process group of its own: what it has started itself gets its signals too. */
export class Program {
  /** The lines on its standard output so far. */
  readonly stdout: string[] = [];
  /** The lines on its standard error so far. */
  readonly stderr: string[] = [];
  /** Its exit code; null if a signal ended it. Settled when it has ended and all its output is here. */
  readonly exitCode: Promise<number | null>;
  readonly #lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #name: string;
  #ended = false;

  /**
   * Starts the program.
   *
   * @param command the program and its arguments
   * @param options the environment, the folder, and who wants to see the lines
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
    const ended = afterTheEnd(`kill -KILL -${child.pid}`);
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
      ended();
      this.#ended = true;
      child.emit("line"); // Who still waits for a line will not get it.
      return code;
    });
  }

  /**
   * Waits for a line on standard output.
   *
   * @param expected the whole line, or a pattern for it
   * @param times how often it must have been printed
   * @param seconds how long to wait at most
   * @throws Error with all that the program printed, when the line does not come
   */
  prints(expected: string | RegExp, times = 1, seconds = 20): Promise<void> {
    return this.#waitFor(this.stdout, expected, times, seconds);
  }

  /** The same for standard error. */
  warns(expected: string | RegExp, times = 1, seconds = 20): Promise<void> {
    return this.#waitFor(this.stderr, expected, times, seconds);
  }

  /** The same for either of them. */
  says(expected: string | RegExp, times = 1, seconds = 20): Promise<void> {
    return this.#waitFor(this.#lines, expected, times, seconds);
  }

  /**
   * Sends a signal to the program and to whatever it has started.
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
   * Ends the program as Ctrl-C does.
   *
   * @returns its exit code
   */
  stop(): Promise<number | null> {
    this.signal("SIGINT");
    return this.exitCode;
  }

  async #waitFor(
    lines: string[],
    expected: string | RegExp,
    times: number,
    seconds: number,
  ): Promise<void> {
    const fits = (line: string) =>
      typeof expected === "string" ? line === expected : expected.test(line);
    const limit = AbortSignal.timeout(seconds * 1000);
    while (lines.filter(fits).length < times) {
      if (this.#ended || limit.aborted) {
        const output = this.#lines.map((line) => `  ${line}`).join("\n");
        const what = `${this.#name}: ${
          this.#ended ? "ended without" : `${seconds} s without`
        } ${expected}`;
        throw new Error(
          `${what}${times > 1 ? ` ${times} times` : ""}. It printed:\n${output}`,
        );
      }
      await once(this.#child, "line", { signal: limit }).catch(() => {});
    }
  }
}

/**
 * Starts one of the project's scripts.
 *
 * @param runtime what to run it with
 * @param script its path from the project's folder
 * @param args its arguments
 * @param options the environment, the folder, and who wants to see the lines
 */
export function runScript(
  runtime: Runtime,
  script: string,
  args: string[],
  options: ProgramOptions = {},
): Program {
  // Bun keeps a "--" for itself that comes right after the script.
  const words = runtime === "bun" && args[0] === "--" ? ["--", ...args] : args;
  return new Program(
    [...runtimes[runtime].command, join(root, script), ...words],
    options,
  );
}
