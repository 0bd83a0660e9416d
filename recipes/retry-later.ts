/**
 * How do I try a failed message again, later, and give up in the end?
 *     npx tsx recipes/retry-later.ts
 */
import { Buffer } from "node:buffer";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const connection = await connect();
const channel = await connection.createConfirmChannel();
const queues = ["recipes.jobs", "recipes.waiting", "recipes.failed"];
// An interrupted run may have left messages. Do not copy this line: it deletes them.
for (const queue of queues) await channel.deleteQueue(queue);

const quorum = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("recipes.jobs", quorum);
await channel.assertQueue("recipes.failed", quorum);
// Nobody consumes from this queue: when a message expires, it goes back to the jobs.
const back = { deadLetterExchange: "", deadLetterRoutingKey: "recipes.jobs" };
await channel.assertQueue("recipes.waiting", { ...quorum, ...back });
channel.sendToQueue("recipes.jobs", Buffer.from("print the poster"));
await channel.waitForConfirms();

await channel.consume("recipes.jobs", async (message) => {
  if (message === null) throw new Error("RabbitMQ has cancelled the consumer");
  const attempts = Number(message.properties.headers?.attempts ?? 0) + 1;
  // Here, every attempt fails. After one that succeeds, only acknowledge the message.
  console.log(`[x] Attempt ${attempts} failed: ${quoted(message.content)}`);
  const isLast = attempts === 3;
  // Not rejected: a copy can count its attempts, and has a waiting time of its own.
  channel.sendToQueue(isLast ? "recipes.failed" : "recipes.waiting", message.content, {
    ...message.properties,
    headers: { ...message.properties.headers, attempts },
    expiration: isLast ? undefined : 500, // In milliseconds.
  });
  // First the copy is safe, then the original goes: a crash in between leaves both.
  await channel.waitForConfirms();
  channel.ack(message);
  if (!isLast) return;
  const failed = await channel.get("recipes.failed");
  if (failed) console.log(`[*] In recipes.failed: ${quoted(failed.content)}`);
  await channel.cancel("printer");
  for (const queue of queues) await channel.deleteQueue(queue);
  await connection.close();
}, { consumerTag: "printer" });
