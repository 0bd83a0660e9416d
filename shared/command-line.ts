/** What a script is told on its command line: words, and options that take a number. */
import process from "node:process";

/** How a script is called, for those who ask with --help and those who make a mistake. */
export interface CommandLine {
  /** The script, its words and its options: "tsx 02-work-queues/new-task.ts [message..] [--count N]". */
  usage: string;
  /** A call, and what it does. */
  example: [call: string, what: string];
  /** What each option is for. */
  describe?: Record<string, string>;
}

/** The usage of the script that runs. */
let usage = "";

/**
 * Reads the command line. Words stay text (007 is not 7), "--" ends the options, an unknown option is refused. yargs does
 * this (https://yargs.js.org), but loading it can take as long as all else that a lesson does before it leaves; so it is
 * loaded only where a word begins with "-".
 *
 * @param line how the script is called
 * @param defaults the options, each with the number that it is where it is not given
 * @returns the words, and the numbers by the names of their options; NaN is what was not one number
 */
export function commandLine(line: CommandLine): Promise<{ words: string[] }>;
export function commandLine<Name extends string>(
  line: CommandLine,
  defaults: Record<Name, number>,
): Promise<{ words: string[] } & Record<Name, number>>;
export async function commandLine(
  line: CommandLine,
  defaults: Record<string, number> = {},
): Promise<{ words: string[] }> {
  usage = line.usage;
  const words = process.argv.slice(2);
  if (!words.some((word) => word.startsWith("-"))) return { words, ...defaults };

  const { default: yargs } = await import("yargs");
  const names = Object.keys(defaults);
  const given = yargs(words)
    .usage(`Usage: ${line.usage}`)
    .example(...line.example)
    .number(names)
    .requiresArg(names)
    .default(defaults)
    .describe(line.describe ?? {})
    .parserConfiguration({ "parse-positional-numbers": false })
    .strictOptions()
    .version(false)
    .fail((mistake) => refuse(mistake))
    .parseSync();
  return {
    words: given._.map(String),
    ...Object.fromEntries(names.map((name) => [name, Number(given[name])])),
  };
}

/**
 * Says on stderr what is wrong with the command line and how it is meant, and ends the script with exit code 1.
 *
 * @param mistake what is wrong, in one line
 */
export function refuse(mistake: string): never {
  console.error(`[!] ${mistake}`);
  console.error(`Usage: ${usage}`);
  process.exit(1);
}
