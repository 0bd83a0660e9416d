/** The baseline for 01-hello/send.ts: the same packages and the same work, without shared/. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";
import { config } from "dotenv";
import yargs from "yargs";

config({ quiet: true });
const { _: words } = yargs(process.argv.slice(2)).string("_").parseSync();
const message = words.join(" ") || "Hello World!";
const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createConfirmChannel();
const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("hello", settings);
channel.sendToQueue("hello", Buffer.from(message));
await channel.waitForConfirms();
console.log(`[x] Sent '${message}'`);
await connection.close();
