/**
 * Lesson 3, the producer: publishes a log message to the exchange "logs".
 *     npx tsx 03-pubsub/emit-log.ts warning: the disk is nearly full
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const message = process.argv.slice(2).join(" ") || "info: Hello World!";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// A fanout exchange copies each message to every queue that is bound to it. It stores
// nothing. It need not be durable, because its queues do not survive a restart, either.
await channel.assertExchange("logs", "fanout", { durable: false });

// Mandatory: if no queue is bound, RabbitMQ returns the message and drops it.
const dropped = "[!] No queue is bound: RabbitMQ dropped the message.";
channel.on("return", () => console.error(dropped));
// The routing key is empty: a fanout exchange ignores it.
channel.publish("logs", "", Buffer.from(message), { mandatory: true });
// A message that was returned is confirmed, too.
await channel.waitForConfirms();
console.log(`[x] Sent ${quoted(message)}`);
await connection.close();
