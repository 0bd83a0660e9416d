/**
 * Lesson 3, the producer: publishes a log line to the exchange "logs".
 *     npx tsx 03-pubsub/emit-log.ts warning: the disk is nearly full
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import yargs from "yargs";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const { _: words } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npx tsx 03-pubsub/emit-log.ts [message..]\n\nPublishes a log line.")
  .example("npx tsx 03-pubsub/emit-log.ts hot", "publishes 'hot'").parseSync();
const message = words.join(" ") || "info: Hello World!";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// A fanout exchange copies every message to every queue that is bound to it.
await channel.assertExchange("logs", "fanout", { durable: false });

// With no queue bound, a message is lost. RabbitMQ returns it when it is "mandatory".
const dropped = "[!] No queue is bound: RabbitMQ dropped it.";
channel.on("return", () => console.error(dropped));
channel.publish("logs", "", Buffer.from(message), { mandatory: true }); // No key.
await channel.waitForConfirms();
console.log(`[x] Sent ${quoted(message)}`);
await connection.close();
