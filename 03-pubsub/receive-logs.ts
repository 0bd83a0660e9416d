/**
 * Lesson 3, the consumer: prints every log message published while it is running.
 * Start as many as you like.
 *     npx tsx 03-pubsub/receive-logs.ts
 */
import { stayConnected } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  await channel.assertExchange("logs", "fanout", { durable: false });
  // Its own queue: RabbitMQ names it, and deletes it when the connection closes.
  const { queue } = await channel.assertQueue("", { exclusive: true });
  // From now on, the exchange copies every message to this queue.
  await channel.bindQueue(queue, "logs", "");
  console.log("[*] Waiting for logs. To exit press CTRL+C");

  // No acknowledgements: if this consumer dies, its copies die with it.
  await channel.consume(queue, (message) => {
    // Null: RabbitMQ has cancelled this consumer, for example because its queue was
    // deleted. Closing the connection makes stayConnected start again from the top.
    if (message === null) {
      connection.close();
      return;
    }

    console.log(`[x] ${quoted(message.content)}`);
  }, { noAck: true });
});
