/**
 * Lesson 5, the consumer: prints the log messages whose routing key matches a pattern.
 * In a pattern, * matches exactly one word and # matches zero or more words.
 *     npx tsx 05-topics/receive-logs.ts "kern.*" "*.critical"
 */
import process from "node:process";
import yargs from "yargs";
import { stayConnected } from "../shared/connection.ts";
import { escaped, quoted } from "../shared/text.ts";

const { _: patterns } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npx tsx 05-topics/receive-logs.ts <pattern..>\n\nPrints log messages.")
  .example('npx tsx 05-topics/receive-logs.ts "kern.*"', "prints kern.info and others")
  .demandCommand(1, 'Specify at least one pattern, such as: "kern.*"').parseSync();

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  await channel.assertExchange("topic_logs", "topic", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });
  // A message that matches several patterns arrives once: there is only one queue.
  for (const pattern of patterns.map(String)) {
    await channel.bindQueue(queue, "topic_logs", pattern);
  }
  const what = patterns.join(", ");
  console.log(`[*] Waiting for logs of ${what}. To exit press CTRL+C`);
  await channel.consume(queue, (message) => {
    if (message === null) return; // RabbitMQ cancelled the consumer: it starts again.
    const { fields: { routingKey }, content } = message;
    console.log(`[x] ${escaped(routingKey)}: ${quoted(content)}`);
  }, { noAck: true });
});
