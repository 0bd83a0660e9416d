/** Declares a queue as the article does, neither durable nor exclusive. */
import { stayConnected } from "../../shared/connection.ts";

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  await channel.assertQueue("transient", { durable: false });
  console.log("[*] Waiting for messages. To exit press CTRL+C");
});
