/** Lesson 6's client.ts with amqplib and no other package: one request and its reply. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";

const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createChannel();
const { queue: replyTo } = await channel.assertQueue("", { exclusive: true });
console.log("[x] Requesting fib(30)");
const reply = await new Promise((resolve) => {
  channel.consume(replyTo, (message) => resolve(message?.content.toString()), {
    noAck: true,
  });
  channel.sendToQueue("rpc_queue", Buffer.from("30"), { replyTo, correlationId: "1" });
});
console.log(`[.] Got ${reply}`);
await connection.close();
