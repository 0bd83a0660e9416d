/** Shutting down: on Ctrl-C or SIGTERM, or when the terminal or the output pipe is closed. */
import { constants } from "node:os";
import process from "node:process";
import { setTimeout } from "node:timers";
import { format } from "node:util";

/** npm and tsx forward Ctrl-C, so it can arrive twice: ignore a repeat within this time (ms). */
const SAME_CTRL_C = 100;

/** How long closing may take, in milliseconds. */
const CLOSE_TIMEOUT = 1000;

/** The signals that ask a program to end. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/**
 * Calls a function when a signal asks the program to end.
 * https://nodejs.org/api/process.html#signal-events
 *
 * @param leave called for the first signal
 * @param hurry called for each later one, except a repeat of the same Ctrl-C, to end at once
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
 * Returns the exit code that tells a shell that a signal ended the program.
 *
 * @param signal the signal
 * @returns 128 plus its number: 130 for SIGINT
 */
export function exitCodeOf(signal: StopSignal): number {
  return 128 + constants.signals[signal];
}

/**
 * Watches standard output. A closed pipe (`| head -1`) ends the program normally; any other
 * write error, such as a full disk, is a failure.
 *
 * @param leave called when the pipe is closed
 * @param fail called with any other error
 */
export function onClosedOutput(leave: () => void, fail: (error: Error) => void): void {
  const failed = (error: unknown) => {
    if (!(error instanceof Error)) throw error;
    if ("code" in error && error.code === "EPIPE") leave();
    else fail(error);
  };
  // The console of Deno and Bun does not report a failed write; process.stdout does.
  if (!process.stdout.isTTY) {
    console.log = (...values) => {
      try {
        process.stdout.write(`${format(...values)}\n`);
      } catch (error) {
        failed(error); // Only Deno throws here. Node and Bun emit the event.
      }
    };
  }
  process.stdout.on("error", failed);
}

/**
 * Closes channels and a connection, in turn, and ends the program with exit code 0, after one
 * second at the latest. It ignores those that are closed already.
 *
 * @param parts the channels, and then their connection, because a channel sends its last
 *   acknowledgements before it closes
 */
export async function closeAndExit(
  ...parts: { close(): Promise<void> }[]
): Promise<void> {
  setTimeout(() => process.exit(0), CLOSE_TIMEOUT);
  for (const part of parts) await part.close().catch(() => {});
  await exit(0);
}

/**
 * Ends the program as soon as its output is written, or after one second, since the reader of a
 * pipe may be slow. https://nodejs.org/api/process.html#a-note-on-process-io
 *
 * @param code the exit code
 * @returns a promise that never resolves
 */
export function exit(code: number): Promise<never> {
  console.log = console.error = () => {}; // Whatever the script prints from now on is a consequence.
  return new Promise(() => {
    setTimeout(() => process.exit(code), CLOSE_TIMEOUT);
    process.stdout.end(() => process.exit(code)); // On Bun, write("", …) does not wait for earlier writes.
  });
}
