/** How commands that need no options say what they do. */
import process from "node:process";

/**
 * Prints the usage of a command, and ends it: with exit code 0 if somebody has asked for
 * it, or else as an error.
 */
export function endWithUsage(usage: string, isAskedFor: boolean): never {
  if (isAskedFor) {
    console.log(usage);
    process.exit(0);
  }
  console.error(usage);
  process.exit(1);
}
