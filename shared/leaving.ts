/** When to leave: Ctrl-C, SIGTERM, a closed terminal, and output that nobody reads any more. */
import { constants } from "node:os";
import process from "node:process";
import { setTimeout } from "node:timers";
import { format } from "node:util";

/** A second signal within these milliseconds is the same Ctrl-C, passed on by npm or tsx. */
const SAME_CTRL_C = 100;

/** How long, in milliseconds, closing may take. */
const CLOSE_TIMEOUT = 1000;

/** The signals that ask a program to leave. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/**
 * Calls a function when the program is asked to leave. https://nodejs.org/api/process.html#signal-events
 *
 * @param leave called with the first signal
 * @param hurry called for each later one: whoever asks twice does not want to wait
 */
export function onStopSignal(
  leave: (signal: StopSignal) => void,
  hurry: () => void,
): void {
  let since = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!since) {
        since = Date.now();
        leave(signal);
      } else if (Date.now() - since > SAME_CTRL_C) {
        hurry();
      }
    });
  }
}

/**
 * The exit code by which a shell knows that a signal ended a program: 130 for SIGINT.
 *
 * @param signal the signal
 */
export function exitCodeOf(signal: StopSignal): number {
  return 128 + constants.signals[signal];
}

/**
 * Watches standard output. A closed pipe (`| head -1`) is a wish to leave; that it cannot be
 * written (a full disk) is an error.
 *
 * @param leave called when the pipe is closed
 * @param fail called with any other error
 */
export function onClosedOutput(leave: () => void, fail: (error: Error) => void): void {
  // The console of Deno and of Bun does not report a failed write; process.stdout does.
  if (!process.stdout.isTTY) {
    console.log = (...values) => void process.stdout.write(`${format(...values)}\n`);
  }
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") leave();
    else fail(error);
  });
}

/**
 * Closes what is given, one after the other, and ends the program with exit code 0. What
 * is closed already, or takes longer than a second, is left.
 *
 * @param parts the channels, then their connection: the other way round, it would overtake
 *   their last acknowledgements
 */
export async function closeAndExit(
  ...parts: { close(): Promise<void> }[]
): Promise<void> {
  setTimeout(() => process.exit(0), CLOSE_TIMEOUT);
  for (const part of parts) await part.close().catch(() => {});
  await exit(0);
}

/**
 * Ends the program when all that it has printed is written, or after a second: a pipe may
 * have a slow reader. https://nodejs.org/api/process.html#a-note-on-process-io
 *
 * @param code the exit code
 * @returns never
 */
export function exit(code: number): Promise<never> {
  return new Promise(() => {
    setTimeout(() => process.exit(code), CLOSE_TIMEOUT);
    process.stdout.write("", () => process.exit(code));
  });
}
