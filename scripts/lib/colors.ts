/** The colors of producers, exchanges, queues and consumers in the terminal, the pictures and the pages. */
import { styleText } from "node:util";

/**
 * The palette. `hex` is a background for white text, used in the diagrams on the pages. `onDark` is for text on a dark
 * background. `ansi` is for terminals: of the two variants of each color there, it is the one that is legible on both
 * light and dark backgrounds.
 */
export const palette = {
  producer: { hex: "#1f6feb", onDark: "#58a6ff", ansi: "blueBright" },
  exchange: { hex: "#8250df", onDark: "#d2a8ff", ansi: "magentaBright" },
  queue: { hex: "#9a6700", onDark: "#e3b341", ansi: "yellow" },
  consumer: { hex: "#1a7f37", onDark: "#56d364", ansi: "green" },
} as const;

/** A role in a lesson. */
export type Role = keyof typeof palette;

/**
 * Colors text by role. styleText() adds no color if the output is not a terminal or NO_COLOR is set
 * (https://no-color.org), unless FORCE_COLOR is. On Node 20, it ignores all three if it is given an array of formats,
 * hence the nested calls. https://nodejs.org/api/util.html#utilstyletextformat-text-options
 *
 * @param role the role that the text names
 * @param text the text
 * @returns the text with escape codes
 */
export function painted(role: Role, text: string): string {
  return styleText("bold", styleText(palette[role].ansi, text));
}

/**
 * Makes text bold.
 *
 * @param text the text
 * @returns the text with escape codes
 */
export function bold(text: string): string {
  return styleText("bold", text);
}

/**
 * Makes text dim.
 *
 * @param text the text
 * @returns the text with escape codes
 */
export function dim(text: string): string {
  return styleText("dim", text);
}
