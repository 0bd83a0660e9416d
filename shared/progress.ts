/** Lines that come again and again, shown as progress where a person reads them. */
import process from "node:process";

/** So many equal lines in a row are printed one by one. */
const SHOWN = 10;
/** How often, in milliseconds, the progress is rewritten. */
const INTERVAL = 100;

let [last, times, shownAt] = ["", 0, 0];

/**
 * Prints a line. On a terminal, the eleventh equal line in a row and all after it become one
 * line of progress on stderr; elsewhere each of them is printed.
 *
 * @param line the line
 */
export function printRepeated(line: string): void {
  times = line === last ? times + 1 : 1;
  last = line;
  if (!process.stdout.isTTY || times <= SHOWN) return console.log(line);
  if (times === SHOWN + 1) process.once("exit", () => showProgress("\n"));
  if (Date.now() - shownAt >= INTERVAL) showProgress("");
}

/** Rewrites the line of progress. */
function showProgress(end: string): void {
  shownAt = Date.now();
  process.stderr.write(`\r${last} ${times.toLocaleString("en")} times in all${end}`);
}
