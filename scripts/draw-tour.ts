/**
 * Draws images/tour.svg, the picture of the tour in README.md, from a real run of lesson 2.
 *
 *     npx tsx scripts/draw-tour.ts
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { styleText } from "node:util";
import yargs from "yargs";
import { Program, root } from "./lib/program.ts";
import { drawTerminal } from "./lib/terminal-picture.ts";

yargs(process.argv.slice(2)).strict()
  .usage("Usage: npx tsx scripts/draw-tour.ts\n\nDraws images/tour.svg.")
  .example("npx tsx scripts/draw-tour.ts", "draws the current output of npm start")
  .parseSync();

const always = { validateStream: false };
const prompt = `${styleText("dim", "$", always)} ${
  styleText("bold", "npm start -- 2", always)
}`;
const tour = new Program(["npm", "start", "--silent", "--", "2"], {
  env: { FORCE_COLOR: "1" },
});
if (await tour.exitCode !== 0) {
  console.error(`[!] The tour failed:\n${tour.stderr.join("\n")}`);
  process.exit(1);
}

const file = join(root, "images/tour.svg");
mkdirSync(dirname(file), { recursive: true });
const title = "npm start -- 2, in a terminal";
const description =
  "Lesson 2 of the tour: two workers wait for messages, and three tasks are sent. " +
  "One worker does the long task, the other meanwhile the two short ones.";
writeFileSync(file, drawTerminal([prompt, ...tour.stdout], title, description));
console.log(`Drawn: ${file}`);
