/**
 * Lesson 5, the producer: publishes a log message with a key of dot-separated words.
 *     npx tsx 05-topics/emit-log.ts kern.critical A critical kernel error
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "../shared/connection.ts";
import { escaped, quoted } from "../shared/text.ts";

const [key = "anonymous.info", ...words] = process.argv.slice(2);
const message = words.join(" ") || "Hello World!";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// A topic exchange copies a message to the queues bound with a matching pattern.
await channel.assertExchange("topic_logs", "topic", { durable: false });

// Mandatory: if no pattern matches, RabbitMQ returns the message and drops it.
channel.on("return", () => {
  console.error(`[!] No binding matches ${quoted(key)}: RabbitMQ dropped the message.`);
});
channel.publish("topic_logs", key, Buffer.from(message), { mandatory: true });
await channel.waitForConfirms();
console.log(`[x] Sent ${escaped(key)}: ${quoted(message)}`);
await connection.close();
