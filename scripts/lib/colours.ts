/** The colours of the four things that every lesson is about: one palette for the terminal, the pictures and the pages. */
import process from "node:process";
import { styleText } from "node:util";

/**
 * Each colour three times. `hex` is for white text on it; the diagrams on the pages have it. `onDark` is for text on a
 * dark background. `ansi` is for a terminal, whose theme has the last word: of the two blues and violets it has the
 * bright ones are legible on light and on dark, of the yellows and greens the others.
 */
export const palette = {
  producer: { hex: "#1f6feb", onDark: "#58a6ff", ansi: "blueBright" },
  exchange: { hex: "#8250df", onDark: "#d2a8ff", ansi: "magentaBright" },
  queue: { hex: "#9a6700", onDark: "#e3b341", ansi: "yellow" },
  consumer: { hex: "#1a7f37", onDark: "#56d364", ansi: "green" },
} as const;

/** One of the four. */
export type Role = keyof typeof palette;

/** No colour where output is not a terminal, or NO_COLOR is set (https://no-color.org); FORCE_COLOR turns it on. */
const options = { stream: process.stdout };

/**
 * Gives text the colour of what it names. https://nodejs.org/api/util.html#utilstyletextformat-text-options
 *
 * @param role what the text names
 * @param text the text
 */
export function painted(role: Role, text: string): string {
  return styleText(["bold", palette[role].ansi], text, options);
}

/**
 * Makes text stand out.
 *
 * @param text the text
 */
export function bold(text: string): string {
  return styleText("bold", text, options);
}

/**
 * Makes text step back.
 *
 * @param text the text
 */
export function dim(text: string): string {
  return styleText("dim", text, options);
}
