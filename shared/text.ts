/** Text that came over the wire, made safe to print. */
import type { Buffer } from "node:buffer";
import { inspect } from "node:util";

/**
 * Quotes text as Python's `%r` does: on one line, with control characters escaped, so that
 * no message can drive the terminal.
 * https://nodejs.org/api/util.html#utilinspectobject-options
 *
 * @param text the content of a message, read as UTF-8, or a string
 * @returns the quoted text; after 10,000 characters it says how many more there are
 */
export function quoted(text: Buffer | string): string {
  return inspect(text.toString(), { breakLength: Infinity });
}

/**
 * The same without the quotes, for a routing key.
 *
 * @param text a string that came over the wire
 * @returns the text on one line, control characters escaped
 */
export function escaped(text: string): string {
  return quoted(text).slice(1, -1);
}
