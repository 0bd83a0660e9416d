/** Prints a line that repeats many times, as progress if the output is a terminal. */
import process from "node:process";

/** How many equal lines in a row are printed one by one. */
const SHOWN = 10;
/** How often to rewrite the progress, in milliseconds. */
const INTERVAL = 100;

let [last, times, shownAt] = ["", 0, 0];

/**
 * Prints a line. On a terminal, from the eleventh equal line in a row on, it rewrites one line
 * of progress on stderr instead.
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

/** Rewrites the progress. */
function showProgress(end: string): void {
  shownAt = Date.now();
  process.stderr.write(`\r${last} ${times.toLocaleString("en")} times${end}`);
}
