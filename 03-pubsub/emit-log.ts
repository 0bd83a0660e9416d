/**
 * Lesson 3, the producer: publishes a log message to the exchange "logs".
 *     npx tsx 03-pubsub/emit-log.ts warning: the disk is nearly full
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import yargs from "yargs";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const { _: words } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npx tsx 03-pubsub/emit-log.ts [message..]\n\nPublishes a log message.")
  .example("npx tsx 03-pubsub/emit-log.ts hot", "publishes 'hot'").parseSync();
const message = words.join(" ") || "info: Hello World!";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// A fanout exchange copies each message to every queue that is bound to it.
await channel.assertExchange("logs", "fanout", { durable: false });

// If no queue is bound, RabbitMQ returns the message (mandatory) and drops it.
const dropped = "[!] No queue is bound: RabbitMQ dropped the message.";
channel.on("return", () => console.error(dropped));
channel.publish("logs", "", Buffer.from(message), { mandatory: true });
await channel.waitForConfirms();
console.log(`[x] Sent ${quoted(message)}`);
await connection.close();
