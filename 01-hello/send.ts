/**
 * Lesson 1, the producer: sends a message to the queue "hello".
 *     npx tsx 01-hello/send.ts Good morning
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const message = process.argv.slice(2).join(" ") || "Hello World!";

// Opening a connection is slow: a service opens one, and keeps it.
const connection = await connect();
// All work is done on channels. On this kind, RabbitMQ confirms each message.
const channel = await connection.createConfirmChannel();

// Either program may start first, so both declare the queue. It survives a restart of
// the broker (durable), and can be copied to other machines (quorum).
const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("hello", settings);

// The default exchange routes the message to the queue of this name.
channel.sendToQueue("hello", Buffer.from(message));
// Until RabbitMQ has confirmed the message, it may be lost.
await channel.waitForConfirms();
console.log(`[x] Sent ${quoted(message)}`);
await connection.close();
