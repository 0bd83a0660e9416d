/**
 * How do I read messages again?
 *     npx tsx recipes/stream.ts
 */
import { Buffer } from "node:buffer";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// An interrupted run may have left messages. Do not copy this line: it deletes them.
await channel.deleteQueue("recipes.temperatures");
// Reading removes nothing. Without a limit, a stream grows until the disk is full.
const stream = { "x-queue-type": "stream", "x-max-age": "7D" };
await channel.assertQueue("recipes.temperatures", { durable: true, arguments: stream });
for (const text of ["19 °C", "20 °C", "23 °C"]) {
  channel.sendToQueue("recipes.temperatures", Buffer.from(text));
}
await channel.waitForConfirms();
await readFrom("first");
await readFrom(1);
await channel.deleteQueue("recipes.temperatures");
await connection.close();

/** Reads to the end from an offset: a number, or "first", "last" or "next". */
async function readFrom(offset: string | number): Promise<void> {
  console.log(`[*] Reading from ${offset}`);
  const channel = await connection.createChannel();
  // A stream demands a prefetch, and an acknowledgement asks it for more messages.
  await channel.prefetch(100);
  await new Promise<void>((resolve) => {
    channel.consume("recipes.temperatures", (message) => {
      if (message === null) throw new Error("RabbitMQ has cancelled the consumer");
      // Whoever stores the offset of the latest message can go on after it.
      const current = message.properties.headers?.["x-stream-offset"];
      console.log(`[x] ${current}: ${quoted(message.content)}`);
      channel.ack(message);
      if (current === 2) resolve();
    }, { arguments: { "x-stream-offset": offset } });
  });
  await channel.close();
}
