/**
 * Lesson 3, the consumer: prints every log line published while it runs. Start as many as you like.
 *
 *     npx tsx 03-pubsub/receive-logs.ts
 */
import { commandLine, refuse } from "../shared/command-line.ts";
import { quoted, stayConnected } from "../shared/connection.ts";

const { words } = await commandLine({
  usage: "tsx 03-pubsub/receive-logs.ts",
  example: ["tsx 03-pubsub/receive-logs.ts", "prints every message of 03-pubsub/emit-log.ts"],
});
if (words.length > 0) refuse("Too many words: this script takes none");

await stayConnected(async (channel) => {
  await channel.assertExchange("logs", "fanout", { durable: false });

  // A queue of our own: RabbitMQ makes up its name, and deletes it when this connection ends.
  const { queue } = await channel.assertQueue("", { exclusive: true });

  // From here on the exchange puts a copy of every message on our queue.
  await channel.bindQueue(queue, "logs", "");

  console.log("[*] Waiting for logs. To exit press CTRL+C");

  await channel.consume(queue, (message) => {
    if (message === null) return; // The queue was deleted; stayConnected() runs all of this again.
    console.log(`[x] ${quoted(message.content)}`);
  }, { noAck: true }); // Nobody else could take over our copy, so there is nothing to acknowledge.
});
