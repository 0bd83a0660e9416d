/**
 * Lesson 1, the consumer: prints what arrives on the queue "hello", and acknowledges it.
 *
 *     npx tsx 01-hello/receive.ts
 */
import { commandLine, refuse } from "../shared/command-line.ts";
import { quoted, stayConnected } from "../shared/connection.ts";

const { words } = await commandLine({
  usage: "tsx 01-hello/receive.ts",
  example: ["tsx 01-hello/receive.ts", "prints every message sent by 01-hello/send.ts"],
});
if (words.length > 0) refuse("Too many words: this script takes none");

await stayConnected(async (channel) => {
  // Declared here too, because nobody knows which of the two is started first.
  await channel.assertQueue("hello", { durable: true, arguments: { "x-queue-type": "quorum" } });

  console.log("[*] Waiting for messages. To exit press CTRL+C");

  await channel.consume("hello", (message) => {
    if (message === null) return; // The queue was deleted; stayConnected() runs all of this again.
    console.log(`[x] Received ${quoted(message.content)}`);

    // Acknowledged after the work, not before: if we die in between, RabbitMQ gives the message to someone else.
    channel.ack(message);
  }, { noAck: false });
});
