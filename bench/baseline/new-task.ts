/** The baseline for 02-work-queues/new-task.ts: a confirm channel, with a number of messages in flight. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";

const [count = 0, window = 500] = process.argv.slice(2).map(Number);
const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createConfirmChannel();
await channel.assertQueue("task_queue", {
  durable: true,
  arguments: { "x-queue-type": "quorum" },
});
for (let sent = 0; sent < count; sent += window) {
  for (let i = 0; i < window; i++) {
    channel.sendToQueue("task_queue", Buffer.from("task"), { persistent: true });
  }
  await channel.waitForConfirms();
  console.log(`[x] Sent ${sent + window}`);
}
await connection.close();
