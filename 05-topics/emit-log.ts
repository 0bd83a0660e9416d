/**
 * Lesson 5, the producer: publishes a log line to the exchange "topic_logs". The routing key is a list of words with
 * dots between them, here the facility and the severity.
 *
 *     npx tsx 05-topics/emit-log.ts
 *     npx tsx 05-topics/emit-log.ts kern.critical A critical kernel error
 */
import { Buffer } from "node:buffer";
import { commandLine } from "../shared/command-line.ts";
import { escaped, quoted, withConfirmChannel } from "../shared/connection.ts";

const { words: [routingKey = "anonymous.info", ...words] } = await commandLine({
  usage: "tsx 05-topics/emit-log.ts [routing-key] [message..]",
  example: ["tsx 05-topics/emit-log.ts kern.critical on fire", "publishes 'on fire' as kern.critical"],
});
const message = words.length > 0 ? words.join(" ") : "Hello World!";

await withConfirmChannel(async (channel) => {
  // A topic exchange copies a message to the queues whose binding key, a pattern, fits the routing key.
  await channel.assertExchange("topic_logs", "topic", { durable: false });

  // With no pattern that fits this key, RabbitMQ drops the message. "mandatory" makes it say so.
  channel.on("return", () => {
    console.error(`[!] Nobody is listening for ${quoted(routingKey)}: RabbitMQ dropped the message.`);
  });

  channel.publish("topic_logs", routingKey, Buffer.from(message), { mandatory: true });
  await channel.waitForConfirms();
  console.log(`[x] Sent ${escaped(routingKey)}: ${quoted(message)}`);
});
