/**
 * Where do bad messages go, and why did this one?
 *     npx tsx recipes/dead-letter.ts
 */
import { Buffer } from "node:buffer";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const connection = await connect();
const channel = await connection.createConfirmChannel();
const queues = ["recipes.payments", "recipes.dead"];
// An interrupted run may have left messages. Do not copy this line: it deletes them.
for (const queue of queues) await channel.deleteQueue(queue);

const quorum = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("recipes.dead", quorum);
// A rejected payment goes to that queue. (The exchange "" finds a queue by its name.)
const toDead = { deadLetterExchange: "", deadLetterRoutingKey: "recipes.dead" };
await channel.assertQueue("recipes.payments", { ...quorum, ...toDead });
channel.sendToQueue("recipes.payments", Buffer.from("20"));
channel.sendToQueue("recipes.payments", Buffer.from("twenty"));
await channel.waitForConfirms();

await channel.consume("recipes.payments", (message) => {
  if (message === null) throw new Error("RabbitMQ has cancelled the consumer");
  const euros = Number(message.content.toString());
  if (Number.isNaN(euros)) {
    // Not requeued (false): it would come back at once, again and again.
    channel.reject(message, false);
    return;
  }
  // The work stands in no try block: if it throws, the code is bad, not the message.
  console.log(`[x] Paid ${euros} euros`);
  channel.ack(message);
}, { consumerTag: "bank" });

// A person looks at the dead letters, here or in the management UI.
await channel.consume("recipes.dead", async (message) => {
  if (message === null) throw new Error("RabbitMQ has cancelled the consumer");
  const [death] = message.properties.headers?.["x-death"] ?? [];
  console.log(`[!] ${quoted(message.content)}: ${death?.reason} in ${death?.queue}`);
  for (const consumer of ["bank", "person"]) await channel.cancel(consumer);
  for (const queue of queues) await channel.deleteQueue(queue);
  await connection.close();
}, { consumerTag: "person" });
