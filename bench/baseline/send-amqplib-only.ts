/** Lesson 1's send.ts with amqplib and no other package. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";

const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createConfirmChannel();
await channel.assertQueue("hello", {
  durable: true,
  arguments: { "x-queue-type": "quorum" },
});
channel.sendToQueue("hello", Buffer.from("Hello World!"));
await channel.waitForConfirms();
console.log("[x] Sent 'Hello World!'");
await connection.close();
