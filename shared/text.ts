/** Makes text from the network safe to print. */
import type { Buffer } from "node:buffer";
import { inspect } from "node:util";

/**
 * Quotes text as Python's `%r` does: on one line, with control characters escaped, so that no
 * message can control the terminal.
 * https://nodejs.org/api/util.html#utilinspectobject-options
 *
 * @param text the content of a message, read as UTF-8, or a string
 * @returns the quoted text; beyond 10,000 characters, only the number of the remaining ones
 */
export function quoted(text: Buffer | string): string {
  return inspect(text.toString(), { breakLength: Infinity });
}

/**
 * Escapes a routing key: like {@linkcode quoted}, but without the quotes.
 *
 * @param text a string from the network
 * @returns the text on one line, with control characters escaped
 */
export function escaped(text: string): string {
  return quoted(text).slice(1, -1);
}
