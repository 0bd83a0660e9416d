/**
 * Lesson 1, the consumer: prints and acknowledges the messages in the queue "hello".
 *     npx tsx 01-hello/receive.ts
 */
import process from "node:process";
import yargs from "yargs";
import { stayConnected } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

yargs(process.argv.slice(2)).strict()
  .usage("Usage: npx tsx 01-hello/receive.ts\n\nPrints the messages in a queue.")
  .example("npx tsx 01-hello/receive.ts", "prints what send.ts sends").parseSync();

await stayConnected(async (connection) => { // Called again after every reconnect.
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("hello", settings); // Either program may start first.
  console.log("[*] Waiting for messages. To exit press CTRL+C");

  await channel.consume("hello", (message) => {
    if (message === null) return; // RabbitMQ cancelled the consumer: it starts again.
    console.log(`[x] Received ${quoted(message.content)}`);
    // If the consumer dies before this line, RabbitMQ redelivers the message.
    channel.ack(message);
  }, { noAck: false });
});
