/**
 * Lesson 4, the producer: publishes a log message with its severity as the routing key.
 *     npx tsx 04-routing/emit-log.ts error disk full
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "../shared/connection.ts";
import { escaped, quoted } from "../shared/text.ts";

const [key = "info", ...words] = process.argv.slice(2);
const message = words.join(" ") || "Hello World!";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// A direct exchange copies a message to the queues bound with its exact routing key.
await channel.assertExchange("direct_logs", "direct", { durable: false });

// Mandatory: if no binding key matches, RabbitMQ returns the message and drops it.
channel.on("return", () => {
  console.error(`[!] No binding matches ${quoted(key)}: RabbitMQ dropped the message.`);
});
channel.publish("direct_logs", key, Buffer.from(message), { mandatory: true });
await channel.waitForConfirms();
console.log(`[x] Sent ${escaped(key)}: ${quoted(message)}`);
await connection.close();
