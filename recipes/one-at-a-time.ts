/**
 * How do I keep the order with several workers?
 *     npx tsx recipes/one-at-a-time.ts
 */
import { Buffer } from "node:buffer";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const connection = await connect();
const publisher = await connection.createConfirmChannel();
// An interrupted run may have left messages. Do not copy this line: it deletes them.
await publisher.deleteQueue("recipes.account");
// RabbitMQ delivers to one consumer only. When that one is gone, the next takes over.
const single = { "x-queue-type": "quorum", "x-single-active-consumer": true };
await publisher.assertQueue("recipes.account", { durable: true, arguments: single });
await startWorker("Worker 1");
await startWorker("Worker 2");
for (const text of ["deposit 50", "withdraw 20", "withdraw 30"]) {
  publisher.sendToQueue("recipes.account", Buffer.from(text));
}
await publisher.waitForConfirms();

/** Starts a worker. The first does not survive the second message. */
async function startWorker(name: string): Promise<void> {
  // A connection of its own, because a program that dies loses its connection.
  const own = await connect();
  const channel = await own.createChannel();
  // One at a time, because an asynchronous callback does not wait for the one before.
  await channel.prefetch(1);
  await channel.consume("recipes.account", async (message) => {
    if (message === null) throw new Error("RabbitMQ has cancelled the consumer");
    const text = message.content.toString();
    console.log(`[x] ${name}: ${quoted(text)}`);
    if (name === "Worker 1" && text === "withdraw 20") {
      console.log(`[!] ${name} dies. RabbitMQ puts the message back to the front`);
      return await own.close();
    }
    channel.ack(message);
    if (text !== "withdraw 30") return;
    await own.close();
    await publisher.deleteQueue("recipes.account");
    await connection.close();
  });
}
