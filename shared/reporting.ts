/** Reports trouble on stderr, and ends the script if it cannot continue. */
import { clearTimeout, setTimeout } from "node:timers";
import { IllegalOperationError } from "amqplib";
import { redact } from "./broker-address.ts";
import { explain, ExplainedError, isInternalError, messageOf } from "./explain.ts";
import { endProgress } from "./progress.ts";
import { exit } from "./shutdown.ts";

/** How long to wait for the broker before reporting the delay, in milliseconds. */
export const SLOW = 5000;

/** The state of the script, on which the meaning of an error depends. */
export const state = {
  /** The address of the current connection, or of the latest attempt to connect. */
  address: new URL("amqp://localhost"),
  /** The script has connected, and reconnects by itself: a closed channel is not a failure. */
  recovering: false,
  /** The script is ending: errors caused by closing the connection are not failures. */
  leaving: false,
};

/**
 * Prints a line on stderr, apart from the lesson's own output.
 *
 * @param line what happened, or what to do about it
 */
export function warn(line: string): void {
  endProgress();
  console.error(`[!] ${line}`);
}

/**
 * Ends the script with exit code 1, after printing an explanation or, for a bug, the stack trace.
 * If a consumer uses a channel that has been lost, this only prints a warning. If the script is
 * already ending, it does nothing.
 *
 * @param error the value that was thrown
 */
export function fail(error: unknown): void {
  if (state.leaving) return;
  if (state.recovering && error instanceof IllegalOperationError) {
    return warn(
      "Cannot acknowledge or reply: the channel is closed. RabbitMQ will redeliver the message.",
    );
  }
  const lines = explain(error, state.address);
  if (lines) return void exitWith([lines]);
  state.leaving = true;
  console.error(error);
  exit(1);
}

/**
 * Ends the script with exit code 1, after printing explanations: first what happened, then what
 * to do about it.
 *
 * @param explanations the lines of each; a repeated line is printed once
 * @returns a promise that never resolves
 */
export function exitWith(explanations: string[][]): Promise<never> {
  state.leaving = true;
  const first = explanations.map(([line = ""]) => line);
  new Set([...first, ...explanations.flat()]).forEach(warn);
  return exit(1);
}

/**
 * Ends the script because its output cannot be written.
 *
 * @param error the error of the stream
 */
export function cannotWrite(error: Error): void {
  fail(new ExplainedError(error.message));
}

/**
 * Explains why a connection was lost.
 *
 * @param reason the error from the "close" event of the connection
 * @returns an error with the explanation
 */
export function connectionLost(reason: unknown): ExplainedError {
  const why = messageOf(reason).replace(/^CONNECTION_FORCED - /, "");
  return new ExplainedError(`Lost ${redact(state.address)}: ${why}.`);
}

/**
 * Ends the script if its connection was lost.
 *
 * @param reason the error from the "close" event; undefined if the script closed the connection
 */
export function failWhenLost(reason?: Error): void {
  if (reason) fail(isInternalError(reason) ? reason : connectionLost(reason));
}

/**
 * Waits for the broker, and reports if it takes more than five seconds. (A cluster without a
 * majority of its nodes does not respond until a majority is back.)
 *
 * @param answer the promise to wait for
 * @param what what the broker has not done yet, as in "confirmed the messages"
 * @param check called after these five seconds; a rejection ends the wait
 * @returns the resolved value of the promise
 */
export async function waitFor<T>(
  answer: Promise<T>,
  what: string,
  check: () => Promise<void> = async () => {},
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const checked = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      warn(`RabbitMQ has not ${what} yet. Still waiting ...`);
      check().catch(reject);
    }, SLOW);
  });
  try {
    return await Promise.race([answer, checked]);
  } finally {
    clearTimeout(timer);
  }
}
