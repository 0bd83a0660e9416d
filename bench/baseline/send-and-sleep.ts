/** Sleeps for 500 ms instead of waiting for a publisher confirm, like the official JavaScript tutorial. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { connect } from "amqplib";

const connection = await connect(process.env.AMQP_URL ?? "");
const channel = await connection.createChannel();
await channel.assertQueue("hello", {
  durable: true,
  arguments: { "x-queue-type": "quorum" },
});
channel.sendToQueue("hello", Buffer.from("Hello World!"));
console.log("[x] Sent 'Hello World!'");
await setTimeout(500);
await connection.close();
