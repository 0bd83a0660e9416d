/**
 * Lesson 5, the producer: publishes a log message with a key of dot-separated words.
 *     npx tsx 05-topics/emit-log.ts kern.critical A critical kernel error
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import yargs from "yargs";
import { connect } from "../shared/connection.ts";
import { escaped, quoted } from "../shared/text.ts";

const { _: args } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npx tsx 05-topics/emit-log.ts [routing-key] [message..]\n\nPublishes.")
  .example("npx tsx 05-topics/emit-log.ts kern.info hot", "logs 'hot'").parseSync();
const [key = "anonymous.info", ...words] = args.map(String);
const message = words.join(" ") || "Hello World!";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// A topic exchange copies a message to the queues bound with a matching pattern.
await channel.assertExchange("topic_logs", "topic", { durable: false });

// If no pattern matches, RabbitMQ returns the message (mandatory) and drops it.
channel.on("return", () => {
  console.error(`[!] No binding matches ${quoted(key)}: RabbitMQ dropped the message.`);
});
channel.publish("topic_logs", key, Buffer.from(message), { mandatory: true });
await channel.waitForConfirms();
console.log(`[x] Sent ${escaped(key)}: ${quoted(message)}`);
await connection.close();
