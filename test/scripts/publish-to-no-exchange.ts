/** A bug: publishing to an exchange that does not exist closes the channel (404). */
import { Buffer } from "node:buffer";
import { stayConnected } from "../../shared/connection.ts";

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("hello", settings);
  console.log("[*] Waiting for messages. To exit press CTRL+C");
  await channel.consume("hello", (message) => {
    if (message === null) return;
    channel.publish("lgos", "", Buffer.from("a typo"));
    channel.ack(message);
  });
});
