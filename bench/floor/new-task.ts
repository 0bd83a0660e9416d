/** The floor for 02-work-queues/new-task.ts: a confirm channel, and as many messages under way at once. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";

const count = Number(process.argv[2]);
const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createConfirmChannel();
await channel.assertQueue("task_queue", { durable: true, arguments: { "x-queue-type": "quorum" } });
for (let sent = 0; sent < count; sent += 500) {
  for (let i = 0; i < 500; i++) {
    channel.sendToQueue("task_queue", Buffer.from("task"), { persistent: true });
  }
  await channel.waitForConfirms();
  console.log(`[x] Sent ${sent + 500}`);
}
await connection.close();
