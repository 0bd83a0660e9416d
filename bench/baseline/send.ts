/** 01-hello/send.ts on bare amqplib. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";

const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createConfirmChannel();
const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("hello", settings);
channel.sendToQueue("hello", Buffer.from("Hello World!"));
await channel.waitForConfirms();
console.log("[x] Sent 'Hello World!'");
await connection.close();
