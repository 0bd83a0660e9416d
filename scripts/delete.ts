/**
 * Deletes a queue or an exchange on the broker that the lessons use, for example because
 * another program has declared it with other settings.
 *
 *     npx tsx scripts/delete.ts queue hello
 */
import process from "node:process";
import yargs from "yargs";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const { _: [kind, name] } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npx tsx scripts/delete.ts <queue|exchange> <name>\n\nDeletes it.")
  .example("npx tsx scripts/delete.ts queue hello", "deletes it and its messages")
  .demandCommand(2, 2, "Specify queue or exchange, and its name")
  .check(({ _ }) =>
    /^(queue|exchange)$/.test(`${_[0]}`) ||
    "The first argument must be queue or exchange"
  )
  .parseSync();

const connection = await connect();
const channel = await connection.createChannel();
// Deleting a queue that does not exist is not an error in RabbitMQ; checking it is.
if (kind === "queue") {
  await channel.checkQueue(String(name));
  await channel.deleteQueue(String(name));
} else {
  await channel.checkExchange(String(name));
  await channel.deleteExchange(String(name));
}
console.log(`Deleted the ${kind} ${quoted(String(name))}.`);
await connection.close();
