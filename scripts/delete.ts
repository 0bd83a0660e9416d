/**
 * Deletes a queue or an exchange on the broker that the lessons use, for example because
 * another program has declared it with other settings.
 */
import process from "node:process";
import { connect } from "../shared/connection.ts";
import { end } from "../shared/errors.ts";
import { quoted } from "../shared/text.ts";

const [kind, name] = process.argv.slice(2);
if (!name || (kind !== "queue" && kind !== "exchange")) {
  end("Usage: npx tsx scripts/delete.ts <queue|exchange> <name>");
}

const connection = await connect();
const channel = await connection.createChannel();
// Deleting a queue that does not exist is not an error in RabbitMQ; checking it is.
if (kind === "queue") {
  await channel.checkQueue(name);
  await channel.deleteQueue(name);
} else {
  await channel.checkExchange(name);
  await channel.deleteExchange(name);
}
console.log(`Deleted the ${kind} ${quoted(name)}.`);
await connection.close();
