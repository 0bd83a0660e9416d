/**
 * Lesson 5, the consumer: prints the log lines whose routing key fits one of its patterns. In a pattern, * stands for
 * exactly one word and # for any number of them, none included. Quote them, or the shell takes them for its own.
 *
 *     npx tsx 05-topics/receive-logs.ts "kern.*" "*.critical"
 *     npx tsx 05-topics/receive-logs.ts "#"
 */
import { commandLine, refuse } from "../shared/command-line.ts";
import { escaped, quoted, stayConnected } from "../shared/connection.ts";

const { words: patterns } = await commandLine({
  usage: "tsx 05-topics/receive-logs.ts <pattern..>",
  example: ['tsx 05-topics/receive-logs.ts "kern.*"', "prints what has two words, the first one kern"],
});
if (patterns.length === 0) refuse('Name one pattern or more, for example: "kern.*" "#.critical"');

await stayConnected(async (channel) => {
  await channel.assertExchange("topic_logs", "topic", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });

  // One binding for each pattern. A message that fits several of them still arrives once: it is one queue.
  for (const pattern of patterns) {
    await channel.bindQueue(queue, "topic_logs", pattern);
  }

  console.log("[*] Waiting for logs. To exit press CTRL+C");

  await channel.consume(queue, (message) => {
    if (message === null) return; // The queue was deleted; stayConnected() runs all of this again.
    console.log(`[x] ${escaped(message.fields.routingKey)}: ${quoted(message.content)}`);
  }, { noAck: true });
});
