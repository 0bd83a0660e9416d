/** A bug: acknowledging a message twice closes the channel (406). */
import { stayConnected } from "../../shared/connection.ts";

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("hello", settings);
  console.log("[*] Waiting for messages. To exit press CTRL+C");
  await channel.consume("hello", (message) => {
    if (message === null) return;
    channel.ack(message);
    channel.ack(message);
  });
});
