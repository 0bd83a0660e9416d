/**
 * Lesson 4, the consumer: prints the log lines of the severities it is given.
 *
 *     npx tsx 04-routing/receive-logs.ts warning error
 */
import { commandLine, refuse } from "../shared/command-line.ts";
import { escaped, quoted, stayConnected } from "../shared/connection.ts";

const { words: severities } = await commandLine({
  usage: "tsx 04-routing/receive-logs.ts <severity..>",
  example: ["tsx 04-routing/receive-logs.ts warning error", "prints warnings and errors, nothing else"],
});
if (severities.length === 0) refuse("Name one severity or more, for example: info warning error");

await stayConnected(async (channel) => {
  await channel.assertExchange("direct_logs", "direct", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });

  // One queue may have many bindings: one for each severity we want.
  for (const severity of severities) {
    await channel.bindQueue(queue, "direct_logs", severity);
  }

  console.log("[*] Waiting for logs. To exit press CTRL+C");

  await channel.consume(queue, (message) => {
    if (message === null) return; // The queue was deleted; stayConnected() runs all of this again.
    console.log(`[x] ${escaped(message.fields.routingKey)}: ${quoted(message.content)}`);
  }, { noAck: true });
});
