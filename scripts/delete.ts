/**
 * Deletes a queue or an exchange of the broker that the lessons use, for when another program
 * has declared one of the same name with other settings.
 *
 *     npx tsx scripts/delete.ts queue hello
 */
import process from "node:process";
import yargs from "yargs";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const { _: [kind, name] } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npx tsx scripts/delete.ts <queue|exchange> <name>\n\nDeletes one.")
  .example("npx tsx scripts/delete.ts queue hello", "deletes it with its messages")
  .demandCommand(2, 2, "Say what to delete: queue or exchange, and its name")
  .check(({ _ }) =>
    /^(queue|exchange)$/.test(`${_[0]}`) || "Say queue or exchange first"
  )
  .parseSync();

const connection = await connect();
const channel = await connection.createChannel();
// To delete what is not there is no error for RabbitMQ; to look it up is.
if (kind === "queue") {
  await channel.checkQueue(String(name));
  await channel.deleteQueue(String(name));
} else {
  await channel.checkExchange(String(name));
  await channel.deleteExchange(String(name));
}
console.log(`The ${kind} ${quoted(String(name))} is deleted.`);
await connection.close();
