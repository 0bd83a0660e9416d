/**
 * Lesson 1, the producer: sends a message to the queue "hello".
 *     npx tsx 01-hello/send.ts Good morning
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import yargs from "yargs";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const { _: words } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npx tsx 01-hello/send.ts [message..]\n\nSends a message to a queue.")
  .example("npx tsx 01-hello/send.ts Good morning", "sends 'Good morning'").parseSync();
const message = words.join(" ") || "Hello World!";

const connection = await connect(); // Slow to open: a program opens one and keeps it.
const channel = await connection.createConfirmChannel(); // With publisher confirms.
const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("hello", settings); // Either program may start first.
// Through the default exchange. If the queue is gone, RabbitMQ returns the message.
channel.sendToQueue("hello", Buffer.from(message), { mandatory: true });
await channel.waitForConfirms(); // Until confirmed, the message may be lost.
console.log(`[x] Sent ${quoted(message)}`);
await connection.close();
