/**
 * Lesson 1, the producer: sends one message to the queue "hello".
 *
 *     npx tsx 01-hello/send.ts
 *     npx tsx 01-hello/send.ts Good morning
 */
import { Buffer } from "node:buffer";
import { commandLine } from "../shared/command-line.ts";
import { quoted, withConfirmChannel } from "../shared/connection.ts";

const { words } = await commandLine({
  usage: "tsx 01-hello/send.ts [message..]",
  example: ["tsx 01-hello/send.ts Good morning", "sends 'Good morning'"],
});
const message = words.length > 0 ? words.join(" ") : "Hello World!";

await withConfirmChannel(async (channel) => {
  // Whoever comes first declares the queue; if it is there already, with the same settings, nothing happens.
  await channel.assertQueue("hello", { durable: true, arguments: { "x-queue-type": "quorum" } });

  // A producer never talks to a queue: it publishes to an exchange. This call takes the default exchange,
  // which puts the message on the queue that the routing key names.
  channel.sendToQueue("hello", Buffer.from(message));

  // Only when the broker has confirmed the message is it the broker's to lose.
  await channel.waitForConfirms();
  console.log(`[x] Sent ${quoted(message)}`);
});
