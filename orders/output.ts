/** Lines that say what is wrong. Each begins with [!]. */
import process from "node:process";
import { inspect } from "node:util";

/** Quotes text from the network on one line, so that it cannot control the terminal. */
export const quoted = (text: string) => inspect(text, { breakLength: Infinity });

/** Says what is wrong and what to do about it, and ends the program. */
export function end(message: string): never {
  console.error(`[!] ${message}`);
  process.exit(1);
}

/** Returns what an error says. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // If a host has several addresses, and none of them accepts, there is no message.
  return error.message || "nothing is listening there";
}

/** Something that is wrong for a while: a line when it begins, and one when it ends. */
export class Trouble {
  #latest = "";

  get isOn(): boolean {
    return this.#latest !== "";
  }

  /** Prints the message, unless it was the last one. */
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
