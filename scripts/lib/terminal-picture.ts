/** Draws a terminal as SVG. Text remains text, so it can be selected, searched, read aloud and tested. */
import { inspect, stripVTControlCharacters } from "node:util";
import { palette } from "./colors.ts";

/** Sizes, in units of the SVG, which a page scales to its width. */
const CHARACTER = 9.6; // The width of a character in most monospace fonts of 16 units.
const LINE = 23;
const MARGIN = 26;
const TITLE_BAR = 40;

/** The colors of a terminal with a dark background. */
export const DARK = {
  background: "#0d1117",
  bar: "#161b22",
  border: "#30363d",
  text: "#e6edf3",
  bold: "#ffffff",
  dim: "#8b949e",
};

/** CSS classes by the number in an escape code. */
const classes = new Map<number | undefined, string>([
  [inspect.colors.dim?.[0], "dim"],
  [inspect.colors.bold?.[0], "bold"],
  ...Object.entries(palette).map(([role, { ansi }]): [number | undefined, string] => [
    inspect.colors[ansi]?.[0],
    role,
  ]),
]);

/** Text in one style, with its first column. */
interface Run {
  text: string;
  column: number;
  style: string;
}

/**
 * Draws a terminal.
 *
 * @param lines the lines in it, with the escape codes of `scripts/lib/colors.ts`
 * @param title the title of the SVG
 * @param description the description of the SVG, for screen readers
 * @returns the SVG, which depends on nothing but the arguments
 */
export function drawTerminal(
  lines: string[],
  title: string,
  description: string,
): string {
  const columns = Math.max(
    ...lines.map((line) => stripVTControlCharacters(line).length),
  );
  const width = Math.round(columns * CHARACTER + 2 * MARGIN);
  const height = TITLE_BAR + lines.length * LINE + 2 * LINE;
  const text = lines.flatMap((line, i) =>
    line ? [drawLine(line, TITLE_BAR + (i + 1.75) * LINE)] : []
  );
  const colors = Object.entries(palette).map(([role, { onDark }]) =>
    `.${role} { fill: ${onDark}; font-weight: 600 }`
  );
  return `<!-- deno-fmt-ignore-file: spaces in the text count -->
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">
<title id="title">${escapeXml(title)}</title>
<desc id="description">${escapeXml(description)}</desc>
<style>
text { font: 16px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; fill: ${DARK.text}; white-space: pre }
.bold { fill: ${DARK.bold}; font-weight: 600 }
.dim { fill: ${DARK.dim} }
${colors.join("\n")}
</style>
<rect x="0.5" y="0.5" width="${width - 1}" height="${
    height - 1
  }" rx="10" fill="${DARK.background}" stroke="${DARK.border}"/>
<path d="M1 ${TITLE_BAR}V11a10 10 0 0 1 10-10H${
    width - 11
  }a10 10 0 0 1 10 10V${TITLE_BAR}z" fill="${DARK.bar}"/>
<circle cx="24" cy="20.5" r="6" fill="#ff5f57"/>
<circle cx="44" cy="20.5" r="6" fill="#febc2e"/>
<circle cx="64" cy="20.5" r="6" fill="#28c840"/>
${text.join("\n")}
</svg>
`;
}

/** Positions every run, so that columns align in any font. */
function drawLine(line: string, y: number): string {
  const parts = runs(line).map(({ text, column, style }) => {
    const x = (MARGIN + column * CHARACTER).toFixed(1);
    const length = (text.length * CHARACTER).toFixed(1);
    const name = style ? ` class="${style}"` : "";
    return `<tspan x="${x}" textLength="${length}" lengthAdjust="spacingAndGlyphs"${name}>${
      escapeXml(text)
    }</tspan>`;
  });
  return `<text y="${y}" xml:space="preserve">${parts.join("")}</text>`;
}

/** Splits a line into runs. The innermost style counts, and any reset ends all styles. */
function runs(line: string): Run[] {
  const found: Run[] = [];
  const [start = "", ...rest] = line.split("\x1b[");
  let column = 0;
  let style = "";
  const add = (text: string) => {
    if (text) found.push({ text, column, style });
    column += text.length;
  };
  add(start);
  for (const piece of rest) {
    const end = piece.indexOf("m");
    style = classes.get(Number(piece.slice(0, end))) ?? "";
    add(piece.slice(end + 1));
  }
  return found;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
