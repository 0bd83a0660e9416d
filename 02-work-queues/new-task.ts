/**
 * Lesson 2, the producer: sends tasks. Each dot in a task stands for a second of work.
 *     npx tsx 02-work-queues/new-task.ts a hard task.. --count 3
 */
import { Buffer } from "node:buffer";
import { connect } from "../shared/connection.ts";
import { readOptions } from "../shared/options.ts";
import { quoted } from "../shared/text.ts";

const { words, count } = await readOptions({ count: 1 }, "[message..] [--count 1]");
const message = words.join(" ") || "Hello World!";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// Durable: the queue survives a restart of the broker.
const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("task_queue", settings);

const content = Buffer.from(message);
const line = `[x] Sent ${quoted(message)}`;
// Persistent: the message survives, too. (A quorum queue keeps others as well, and a
// classic queue only these.)
const options = { persistent: true };
for (let sent = 1; sent <= count; sent++) {
  channel.sendToQueue("task_queue", content, options, (error) => {
    // After an error, RabbitMQ may not have it: waitForConfirms ends the script below.
    if (!error) console.log(line);
  });
  // Waiting for each confirm would be slow; never waiting could exhaust memory.
  if (sent % 2000 === 0) await channel.waitForConfirms();
}
await channel.waitForConfirms();
await connection.close();
