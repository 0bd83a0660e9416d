/** Lines that say what is wrong. Each begins with [!]. */
import process from "node:process";
import { inspect } from "node:util";

/** Quotes text from the network on one line, so that it cannot control the terminal. */
export function quoted(text: string): string {
  return inspect(text, { breakLength: Infinity });
}

/** Says what is wrong and what to do about it, and ends the program. */
export function end(message: string): never {
  console.error(`[!] ${message}`);
  process.exit(1);
}

/** The text of an error. For a bug, the stack trace shows more. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // If a host has several addresses, and none of them accepts, there is no message.
  return error.message || "nothing is listening at this address";
}

/** Something that is wrong for a while: a line when it begins, and one when it ends. */
export class Trouble {
  #latest = "";

  /** Tells whether it has begun, and not ended. */
  get isOn(): boolean {
    return this.#latest !== "";
  }

  /** Prints the message, unless it is the same as the last one. */
  begins(message: string): void {
    if (message !== this.#latest) console.error(`[!] ${message}`);
    this.#latest = message;
  }

  /** Prints the message, if something was wrong. */
  ends(message: string): void {
    if (this.isOn) console.error(`[!] ${message}`);
    this.#latest = "";
  }
}
