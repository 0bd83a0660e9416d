/** Reports on stderr what happens to a script, and ends it when it cannot go on. */
import { clearTimeout, setTimeout } from "node:timers";
import { IllegalOperationError } from "amqplib";
import { redact } from "./broker-address.ts";
import { explain, ExplainedError, isInternalError, words } from "./explain.ts";
import { exit } from "./leaving.ts";

/** How long, in milliseconds, to wait for an answer before saying so. */
export const PATIENCE = 5000;

/** What the meaning of an error depends on. */
export const state = {
  /** The address that we are connected to, or tried last. */
  address: new URL("amqp://localhost"),
  /** A lost connection comes back: what a callback does with its channel is only late. */
  recovering: false,
  /** The script is ending: what closing the connection breaks is no failure. */
  leaving: false,
};

/**
 * Prints a line on stderr, where it does not mix with what a lesson prints.
 *
 * @param line what happened, or what to do about it
 */
export function warn(line: string): void {
  console.error(`[!] ${line}`);
}

/**
 * Ends the script with exit code 1: with an explanation or, for a mistake in the code, with
 * its stack trace.
 *
 * @param error whatever was thrown
 */
export function fail(error: unknown): void {
  if (state.leaving) return;
  if (state.recovering && error instanceof IllegalOperationError) {
    return warn(
      "Too late: the channel is gone. What was not acknowledged comes again.",
    );
  }
  const lines = explain(error, state.address);
  if (lines) return void exitWith([lines]);
  state.leaving = true;
  console.error(error);
  exit(1);
}

/**
 * Ends the script with exit code 1 and explanations: first what happened, then what to do.
 *
 * @param explanations the lines of each; a line that stands in several is printed once
 * @returns never
 */
export function exitWith(explanations: string[][]): Promise<never> {
  state.leaving = true;
  const first = explanations.map(([line = ""]) => line);
  new Set([...first, ...explanations.flat()]).forEach(warn);
  return exit(1);
}

/**
 * Why there is no connection.
 *
 * @param error from amqplib's connect
 * @returns the lines
 */
export function noConnection(error: unknown): string[] {
  return explain(error, state.address) ?? [`${redact(state.address)}: ${words(error)}`];
}

/**
 * Why there is no connection any more.
 *
 * @param reason from the "close" of a connection
 * @returns an error that says it
 */
export function connectionLost(reason: unknown): ExplainedError {
  const why = words(reason).replace(/^CONNECTION_FORCED - /, "");
  return new ExplainedError(`Lost ${redact(state.address)}: ${why}.`);
}

/**
 * Ends the script when its connection is lost.
 *
 * @param reason from the "close" of a connection; none where we have closed it
 */
export function failWhenLost(reason?: Error): void {
  if (reason) fail(isInternalError(reason) ? reason : connectionLost(reason));
}

/**
 * Waits for an answer of the broker, and says so when it takes more than five seconds. (In a
 * cluster without a majority of its nodes, it takes until they are back.)
 *
 * @param answer what to wait for
 * @param what what the broker has not done yet
 * @param check looks after these five seconds why that may be, and rejects to end the wait
 * @returns the answer
 */
export async function waitFor<T>(
  answer: Promise<T>,
  what: string,
  check: () => Promise<void> = async () => {},
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const checked = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      warn(`RabbitMQ has not ${what} yet. Waiting until it does ...`);
      check().catch(reject);
    }, PATIENCE);
  });
  try {
    return await Promise.race([answer, checked]);
  } finally {
    clearTimeout(timer);
  }
}
