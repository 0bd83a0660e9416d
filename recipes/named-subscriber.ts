/**
 * How does a subscriber miss nothing while it is away?
 *     npx tsx recipes/named-subscriber.ts
 */
import { Buffer } from "node:buffer";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// An interrupted run may have left messages. Do not copy this line: it deletes them.
await channel.deleteQueue("recipes.mailer");

await channel.assertExchange("recipes.sales", "fanout", { durable: true });
// Unlike in lesson 3, it is not exclusive: queue and binding stay without it.
// Publisher and subscriber both declare them, so that it does not matter who is first.
const quorum = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("recipes.mailer", quorum);
await channel.bindQueue("recipes.mailer", "recipes.sales", "");

for (const sale of ["sale 1", "sale 2", "sale 3"]) {
  channel.publish("recipes.sales", "", Buffer.from(sale));
  await channel.waitForConfirms();
  console.log(`[x] Published ${quoted(sale)}`);
  // The subscriber comes for the first sale, and again only after the third.
  if (sale !== "sale 2") await subscribeUntil(sale);
}
await channel.deleteQueue("recipes.mailer");
await channel.deleteExchange("recipes.sales");
await connection.close();

/** Subscribes and, after this message, leaves, as if its program had ended. */
async function subscribeUntil(last: string): Promise<void> {
  const channel = await connection.createChannel();
  await new Promise<void>((resolve) => {
    channel.consume("recipes.mailer", (message) => {
      if (message === null) throw new Error("RabbitMQ has cancelled the consumer");
      console.log(`[x] The mailer received ${quoted(message.content)}`);
      channel.ack(message);
      if (message.content.toString() === last) resolve();
    });
  });
  await channel.close();
  console.log("[*] The mailer is away");
}
