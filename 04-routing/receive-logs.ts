/**
 * Lesson 4, the consumer: prints the log messages of the given severities.
 *     npx tsx 04-routing/receive-logs.ts warning error
 */
import process from "node:process";
import yargs from "yargs";
import { stayConnected } from "../shared/connection.ts";
import { escaped, quoted } from "../shared/text.ts";

const { _: severities } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npx tsx 04-routing/receive-logs.ts <severity..>\n\nPrints logs.")
  .example("npx tsx 04-routing/receive-logs.ts warning error", "prints only these")
  .demandCommand(1, "Specify at least one severity, such as: error").parseSync();

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  await channel.assertExchange("direct_logs", "direct", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });
  for (const severity of severities.map(String)) { // A queue may have many bindings.
    await channel.bindQueue(queue, "direct_logs", severity);
  }
  const what = severities.join(", ");
  console.log(`[*] Waiting for logs of ${what}. To exit press CTRL+C`);
  await channel.consume(queue, (message) => {
    if (message === null) return; // RabbitMQ cancelled the consumer: it starts again.
    const { fields: { routingKey }, content } = message;
    console.log(`[x] ${escaped(routingKey)}: ${quoted(content)}`);
  }, { noAck: true });
});
