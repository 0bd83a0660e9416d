/** The baseline for 06-rpc/client.ts: the same packages, one request and its reply. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";
import { config } from "dotenv";
import { v4 as uuid } from "uuid";
import yargs from "yargs";

config({ quiet: true });
const { _: [n = "30"] } = yargs(process.argv.slice(2)).string("_").parseSync();
const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createChannel();
const { queue: replyTo } = await channel.assertQueue("", { exclusive: true });
console.log(`[x] Requesting fib(${n})`);
const reply = await new Promise((resolve) => {
  channel.consume(replyTo, (message) => resolve(message?.content.toString()), {
    noAck: true,
  });
  const options = { replyTo, correlationId: uuid() };
  channel.sendToQueue("rpc_queue", Buffer.from(String(n)), options);
});
console.log(`[.] Got ${reply}`);
await connection.close();
