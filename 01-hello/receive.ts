/**
 * Lesson 1, the consumer: prints and acknowledges the messages in the queue "hello".
 *     npx tsx 01-hello/receive.ts
 */
import { stayConnected } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

// The function is called again after every reconnect.
await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("hello", settings);
  console.log("[*] Waiting for messages. To exit press CTRL+C");

  // With noAck: false, RabbitMQ keeps a message until it is acknowledged.
  await channel.consume("hello", (message) => {
    // Null: RabbitMQ has cancelled this consumer, for example because its queue was
    // deleted. Closing the connection makes stayConnected start again from the top.
    if (message === null) {
      connection.close();
      return;
    }

    console.log(`[x] Received ${quoted(message.content)}`);
    // If the consumer dies before this line, RabbitMQ redelivers the message.
    channel.ack(message);
  }, { noAck: false });
});
