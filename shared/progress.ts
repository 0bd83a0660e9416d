/** Prints a line that repeats many times, as progress if the output is a terminal. */
import process from "node:process";

/** How many identical lines in a row are printed one by one. */
const SHOWN = 10;
/** How often to rewrite the progress, in milliseconds. */
const INTERVAL = 100;

let [last, times, shownAt] = ["", 0, 0];

/**
 * Prints a line. On a terminal, from the eleventh identical line in a row on, it rewrites one
 * line of progress on stderr instead.
 *
 * @param line the line
 */
export function printRepeated(line: string): void {
  times = line === last ? times + 1 : 1;
  last = line;
  if (!process.stdout.isTTY || times <= SHOWN) return console.log(line);
  if (times === SHOWN + 1) process.once("exit", endProgress);
  if (Date.now() - shownAt >= INTERVAL) showProgress();
}

/** Ends the line of progress, if there is one, with its final number. */
export function endProgress(): void {
  if (shownAt === 0) return;
  showProgress();
  process.stderr.write("\n");
  shownAt = 0;
}

/** Rewrites the line of progress. */
function showProgress(): void {
  shownAt = Date.now();
  process.stderr.write(`\r${last} ${times.toLocaleString("en")} times`);
}
