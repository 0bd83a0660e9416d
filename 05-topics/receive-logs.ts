/**
 * Lesson 5, the consumer: prints the log messages whose routing key matches a pattern.
 * In a pattern, * matches exactly one word and # matches zero or more words.
 *     npx tsx 05-topics/receive-logs.ts "kern.*" "*.critical"
 */
import process from "node:process";
import { stayConnected } from "../shared/connection.ts";
import { escaped, quoted } from "../shared/text.ts";

const patterns = process.argv.slice(2);
if (patterns.length === 0) {
  console.error("Usage: npx tsx 05-topics/receive-logs.ts [binding_key]...");
  process.exit(1);
}

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  await channel.assertExchange("topic_logs", "topic", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });
  // A message that matches several patterns arrives once: there is only one queue.
  for (const key of patterns) await channel.bindQueue(queue, "topic_logs", key);
  console.log("[*] Waiting for logs. To exit press CTRL+C");

  await channel.consume(queue, (message) => {
    // Null: RabbitMQ has cancelled this consumer, for example because its queue was
    // deleted. Closing the connection makes stayConnected start again from the top.
    if (message === null) {
      connection.close();
      return;
    }

    const { fields, content } = message;
    console.log(`[x] ${escaped(fields.routingKey)}: ${quoted(content)}`);
  }, { noAck: true });
});
