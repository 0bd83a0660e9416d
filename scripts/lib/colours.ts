/** The colours of the four things that every lesson is about: one palette for the terminal, the pictures and the pages. */
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

/**
 * Gives text the colour of what it names. There is no colour where output is not a terminal, or NO_COLOR is set
 * (https://no-color.org); FORCE_COLOR turns it on. All that is styleText()'s doing, but with an array of formats it
 * looks at none of it on Node 20: so there is one call for each.
 * https://nodejs.org/api/util.html#utilstyletextformat-text-options
 *
 * @param role what the text names
 * @param text the text
 */
export function painted(role: Role, text: string): string {
  return styleText("bold", styleText(palette[role].ansi, text));
}

/**
 * Makes text stand out.
 *
 * @param text the text
 */
export function bold(text: string): string {
  return styleText("bold", text);
}

/**
 * Makes text step back.
 *
 * @param text the text
 */
export function dim(text: string): string {
  return styleText("dim", text);
}
