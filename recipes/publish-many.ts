/**
 * How do I publish fast, and know that each message arrived?
 *     npx tsx recipes/publish-many.ts
 */
import { Buffer } from "node:buffer";
import { connect } from "../shared/connection.ts";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// An interrupted run may have left messages. Do not copy this line: it deletes them.
await channel.deleteQueue("recipes.many");
// A small queue, to show a refusal. (Classic, because a quorum queue takes a few more.)
const limited = { maxLength: 250, overflow: "reject-publish" };
await channel.assertQueue("recipes.many", { durable: true, ...limited });
const messages = Array.from({ length: 300 }, (_, i) => Buffer.from(`message ${i}`));
await publish(messages, 1);
await channel.purgeQueue("recipes.many");
const failed = await publish(messages, 100);
// In place of consumers, this makes room. A service waits before it publishes again.
await channel.purgeQueue("recipes.many");
await publish(failed, 100);
await channel.deleteQueue("recipes.many");
await connection.close();

/** Publishes messages, so many at a time. @returns those to publish again */
async function publish(messages: Buffer[], size: number): Promise<Buffer[]> {
  const failed: Buffer[] = [];
  const start = performance.now();
  for (let i = 0; i < messages.length; i += size) {
    const answers = messages.slice(i, i + size).map((message) =>
      new Promise<void>((resolve) => {
        channel.sendToQueue("recipes.many", message, { persistent: true }, (error) => {
          // RabbitMQ has refused it, or was lost before it answered.
          if (error) failed.push(message);
          resolve();
        });
      })
    );
    // Without this pause, unconfirmed messages would pile up in this program's memory.
    await Promise.all(answers);
  }
  const rate = messages.length / (performance.now() - start) * 1000;
  console.log(`[x] ${size} at a time: ${Math.round(rate)}/s, ${failed.length} failed`);
  return failed;
}
