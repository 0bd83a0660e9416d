/** The baseline for 02-work-queues/worker.ts: it receives tasks, prints the same lines and acknowledges. */
import process from "node:process";
import { connect } from "amqplib";

const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createChannel();
await channel.assertQueue("task_queue", {
  durable: true,
  arguments: { "x-queue-type": "quorum" },
});
await channel.prefetch(100);
console.log("[*] Waiting for messages. To exit press CTRL+C");
await channel.consume("task_queue", (message) => {
  if (message === null) return;
  console.log(`[x] Received '${message.content}'`);
  console.log("[x] Done");
  channel.ack(message);
});
