/**
 * Deletes a queue or an exchange from the broker that the lessons use, for when another program has left one of the same
 * name with other settings.
 *
 *     npx tsx scripts/delete.ts queue hello
 */
import process from "node:process";
import yargs from "yargs";
import { quoted, usageError, withConfirmChannel } from "../shared/connection.ts";

const { _: [kind, word] } = yargs(process.argv.slice(2))
  .usage("Usage: tsx scripts/delete.ts <queue|exchange> <name>")
  .example("tsx scripts/delete.ts queue hello", "deletes the queue hello, and the messages on it")
  .demandCommand(2, 2, "Say what to delete: queue or exchange, and its name", "Name one queue or exchange")
  .check(({ _: [kind] }) => kind === "queue" || kind === "exchange" || "The first word is queue or exchange")
  .parserConfiguration({ "parse-positional-numbers": false })
  .strictOptions()
  .fail(usageError)
  .parseSync();
const name = String(word);

await withConfirmChannel(async (channel) => {
  if (kind === "queue") await channel.deleteQueue(name);
  else await channel.deleteExchange(name);
  console.log(`Deleted the ${kind} ${quoted(name)}.`);
});
