/**
 * Lesson 4, the consumer: prints the log messages of the given severities.
 *     npx tsx 04-routing/receive-logs.ts warning error
 */
import process from "node:process";
import { stayConnected } from "../shared/connection.ts";
import { escaped, quoted } from "../shared/text.ts";

const severities = process.argv.slice(2);
if (severities.length === 0) {
  console.error("Usage: npx tsx 04-routing/receive-logs.ts [info] [warning] [error]");
  process.exit(1);
}

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  await channel.assertExchange("direct_logs", "direct", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });
  // A queue may have many bindings, each with its own binding key.
  for (const key of severities) await channel.bindQueue(queue, "direct_logs", key);
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
