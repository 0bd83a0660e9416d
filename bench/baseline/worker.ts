/** 02-work-queues/worker.ts on bare amqplib. */
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { connect } from "amqplib";

const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createChannel();
const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("task_queue", settings);
await channel.prefetch(Number(process.argv[3])); // After "--prefetch".
console.log("[*] Waiting for messages. To exit press CTRL+C");
await channel.consume("task_queue", async (message) => {
  if (message === null) return;
  const task = message.content.toString();
  console.log(`[x] Received '${task}'`);
  const dots = task.split(".").length - 1;
  if (dots > 0) await setTimeout(dots * 1000);
  console.log("[x] Done");
  channel.ack(message);
});
