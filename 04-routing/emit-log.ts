/**
 * Lesson 4, the producer: publishes a log line to the exchange "direct_logs", with its severity as the routing key.
 *
 *     npx tsx 04-routing/emit-log.ts
 *     npx tsx 04-routing/emit-log.ts error disk full
 */
import { Buffer } from "node:buffer";
import { commandLine } from "../shared/command-line.ts";
import { escaped, quoted, withConfirmChannel } from "../shared/connection.ts";

const { words: [routingKey = "info", ...words] } = await commandLine({
  usage: "tsx 04-routing/emit-log.ts [severity] [message..]",
  example: ["tsx 04-routing/emit-log.ts error disk full", "publishes 'disk full' as an error"],
});
const message = words.length > 0 ? words.join(" ") : "Hello World!";

await withConfirmChannel(async (channel) => {
  // A direct exchange copies a message to the queues whose binding key is the message's routing key.
  await channel.assertExchange("direct_logs", "direct", { durable: false });

  // With no queue bound for this key, RabbitMQ drops the message. "mandatory" makes it say so.
  channel.on("return", () => {
    console.error(`[!] Nobody is listening for ${quoted(routingKey)}: RabbitMQ dropped the message.`);
  });

  channel.publish("direct_logs", routingKey, Buffer.from(message), { mandatory: true });
  await channel.waitForConfirms();
  console.log(`[x] Sent ${escaped(routingKey)}: ${quoted(message)}`);
});
