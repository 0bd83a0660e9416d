/** 02-work-queues/new-task.ts on bare amqplib. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";

const count = Number(process.argv[3]); // After "--count".
const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createConfirmChannel();
const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("task_queue", settings);
const content = Buffer.from("Hello World!");
for (let sent = 1; sent <= count; sent++) {
  channel.sendToQueue("task_queue", content, { persistent: true }, (error) => {
    if (error === null) console.log("[x] Sent 'Hello World!'");
  });
  if (sent % 500 === 0) await channel.waitForConfirms();
}
await channel.waitForConfirms();
await connection.close();
