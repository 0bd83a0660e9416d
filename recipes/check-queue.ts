/**
 * Does the queue exist, how much is in it, and how do I survive the answer?
 *     npx tsx recipes/check-queue.ts
 */
import { Buffer } from "node:buffer";
import { connect } from "../shared/connection.ts";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// An interrupted run may have left messages. Do not copy this line: it deletes them.
await channel.deleteQueue("recipes.letters");
console.log(`[x] Before it is declared: ${await describe("recipes.letters")}`);

const quorum = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("recipes.letters", quorum);
channel.sendToQueue("recipes.letters", Buffer.from("a letter"));
channel.sendToQueue("recipes.letters", Buffer.from("another letter"));
await channel.waitForConfirms();
console.log(`[x] With two messages: ${await describe("recipes.letters")}`);

// A message that a consumer has, and has not acknowledged, is not ready.
await channel.get("recipes.letters");
console.log(`[x] When one is being handled: ${await describe("recipes.letters")}`);
await channel.deleteQueue("recipes.letters");
await connection.close();

/** Says how many messages are ready in a queue, or that there is no such queue. */
async function describe(queue: string): Promise<string> {
  // If there is none, RabbitMQ closes the channel that asks. So this one only asks.
  const channel = await connection.createChannel();
  // Without this listener, amqplib would close the connection as well.
  channel.on("error", () => {});
  try {
    const { messageCount } = await channel.checkQueue(queue);
    await channel.close();
    return `${messageCount} ready`;
  } catch (error) {
    // Other words, even with "NOT_FOUND", do not mean that there is none: the node of a
    // queue may not be running, or this user may not look (ACCESS_REFUSED).
    if (String(error).includes("NOT_FOUND - no queue")) return "there is no such queue";
    throw error;
  }
}
