/**
 * Lesson 5, the consumer: prints the log lines whose routing key fits one of its patterns. In a pattern, * stands for
 * exactly one word and # for any number of them, none included. Quote them, or the shell takes them for its own.
 *
 *     npx tsx 05-topics/receive-logs.ts "kern.*" "*.critical"
 *     npx tsx 05-topics/receive-logs.ts "#"
 */
import process from "node:process";
import yargs from "yargs";
import { escaped, quoted, stayConnected, usageError } from "../shared/connection.ts";

const { _: patterns } = yargs(process.argv.slice(2))
  .usage("Usage: tsx 05-topics/receive-logs.ts <pattern..>")
  .example('tsx 05-topics/receive-logs.ts "kern.*"', "prints what has two words, the first one kern")
  .demandCommand(1, 'Name one pattern or more, for example: "kern.*" "#.critical"')
  .parserConfiguration({ "parse-positional-numbers": false })
  .strictOptions()
  .fail(usageError)
  .parseSync();

await stayConnected(async (channel) => {
  await channel.assertExchange("topic_logs", "topic", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });

  // One binding for each pattern. A message that fits several of them still arrives once: it is one queue.
  for (const pattern of patterns) {
    await channel.bindQueue(queue, "topic_logs", String(pattern));
  }

  console.log("[*] Waiting for logs. To exit press CTRL+C");

  await channel.consume(queue, (message) => {
    if (message === null) return; // The queue was deleted; stayConnected() runs all of this again.
    console.log(`[x] ${escaped(message.fields.routingKey)}: ${quoted(message.content)}`);
  }, { noAck: true });
});
