/** Options on the command line, such as `--count 3`. https://yargs.js.org */
import process from "node:process";
import { end } from "./errors.ts";

/** The highest number for an option; for others, it is a billion. */
const LIMITS: Record<string, number> = {
  prefetch: 65_535, // AMQP's field for it holds no more.
  timeout: 86_400, // A day, in seconds.
  port: 35_000, // Of npm run broker: it adds up to 20,000 for other ports.
};

/**
 * Reads the command line. A mistake in it ends the script with one line.
 *
 * @param defaults the options, which take whole numbers from 1, with their defaults
 * @param usage what --help prints after the script's name; ".." in it permits words
 * @returns a number for each option, and all other words
 */
export async function readOptions<Name extends string>(
  defaults: Record<Name, number>,
  usage: string,
): Promise<Record<Name, number> & { words: string[] }> {
  const [, script = "", ...args] = process.argv;
  const numbers = { ...defaults };
  let words = args;
  // Loading yargs takes as long as connecting, so it is loaded only for an option.
  if (args.some((arg) => arg.startsWith("-"))) {
    const { default: yargs } = await import("yargs");
    const names = Object.keys(defaults);
    const cli = yargs(args).locale("en").strictOptions().version(false)
      .usage(`Usage: npx tsx ${script.split(/[\\/]/).slice(-2).join("/")} ${usage}`)
      .number(names).default(defaults).requiresArg(names)
      .help(false).boolean("help") // Otherwise, the word "help" would mean --help.
      .parserConfiguration({ "parse-positional-numbers": false }) // 007 stays 007.
      .fail((message, error) => end(message ?? error.message));
    const parsed: Record<string, unknown> & { _: unknown[] } = cli.parseSync();
    if (parsed.help) {
      cli.showHelp("log");
      process.exit(0);
    }
    words = parsed._.map(String);
    for (const name in numbers) numbers[name] = Number(parsed[name]);
  }

  if (words.length > 0 && !usage.includes("..")) end(`Unknown argument: ${words[0]}`);
  for (const name in numbers) {
    const limit = LIMITS[name] ?? 1_000_000_000;
    const isValid = Number.isInteger(numbers[name]) && numbers[name] >= 1;
    if (!isValid || numbers[name] > limit) {
      end(`--${name} must be a whole number from 1 to ${limit}`);
    }
  }
  return { ...numbers, words };
}
