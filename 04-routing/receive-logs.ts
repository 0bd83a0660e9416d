/**
 * Lesson 4, the consumer: prints the log lines of the severities it is given.
 *
 *     npx tsx 04-routing/receive-logs.ts warning error
 */
import process from "node:process";
import yargs from "yargs";
import { escaped, quoted, stayConnected, usageError } from "../shared/connection.ts";

const { _: severities } = yargs(process.argv.slice(2))
  .usage("Usage: tsx 04-routing/receive-logs.ts <severity..>")
  .example("tsx 04-routing/receive-logs.ts warning error", "prints warnings and errors, nothing else")
  .demandCommand(1, "Name one severity or more, for example: info warning error")
  .parserConfiguration({ "parse-positional-numbers": false })
  .strictOptions()
  .fail(usageError)
  .parseSync();

await stayConnected(async (channel) => {
  await channel.assertExchange("direct_logs", "direct", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });

  // One queue may have many bindings: one for each severity we want.
  for (const severity of severities) {
    await channel.bindQueue(queue, "direct_logs", String(severity));
  }

  console.log("[*] Waiting for logs. To exit press CTRL+C");

  await channel.consume(queue, (message) => {
    if (message === null) return; // The queue was deleted; stayConnected() runs all of this again.
    console.log(`[x] ${escaped(message.fields.routingKey)}: ${quoted(message.content)}`);
  }, { noAck: true });
});
