/**
 * Lesson 3, the consumer: prints every log message published while it is running.
 * Start as many as you like.
 *     npx tsx 03-pubsub/receive-logs.ts
 */
import process from "node:process";
import yargs from "yargs";
import { stayConnected } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

yargs(process.argv.slice(2)).strict()
  .usage("Usage: npx tsx 03-pubsub/receive-logs.ts\n\nPrints log messages.")
  .example("npx tsx 03-pubsub/receive-logs.ts", "prints them all").parseSync();

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  await channel.assertExchange("logs", "fanout", { durable: false });
  // Its own queue: RabbitMQ names it, and deletes it when the connection closes.
  const { queue } = await channel.assertQueue("", { exclusive: true });
  // From now on, the exchange copies every message to this queue.
  await channel.bindQueue(queue, "logs", "");
  console.log("[*] Waiting for logs. To exit press CTRL+C");

  await channel.consume(queue, (message) => {
    if (message === null) return; // RabbitMQ cancelled the consumer: it starts again.
    console.log(`[x] ${quoted(message.content)}`);
  }, { noAck: true }); // No acknowledgements: the copies die with this consumer.
});
