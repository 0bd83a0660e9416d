/**
 * Lesson 3, the producer: publishes a log line to the exchange "logs", for whoever is listening.
 *
 *     npx tsx 03-pubsub/emit-log.ts
 *     npx tsx 03-pubsub/emit-log.ts warning: the disk is nearly full
 */
import { Buffer } from "node:buffer";
import { commandLine } from "../shared/command-line.ts";
import { quoted, withConfirmChannel } from "../shared/connection.ts";

const { words } = await commandLine({
  usage: "tsx 03-pubsub/emit-log.ts [message..]",
  example: ["tsx 03-pubsub/emit-log.ts warning: hot", "publishes 'warning: hot'"],
});
const message = words.length > 0 ? words.join(" ") : "info: Hello World!";

await withConfirmChannel(async (channel) => {
  // A fanout exchange copies every message to every queue that is bound to it.
  await channel.assertExchange("logs", "fanout", { durable: false });

  // With no queue bound, RabbitMQ drops the message and confirms it all the same. "mandatory" makes it say so.
  channel.on("return", () => console.error("[!] Nobody is listening: RabbitMQ dropped the message."));

  // No queue is named, and no routing key: a fanout exchange asks for neither.
  channel.publish("logs", "", Buffer.from(message), { mandatory: true });
  await channel.waitForConfirms();
  console.log(`[x] Sent ${quoted(message)}`);
});
