/** 06-rpc/client.ts on bare amqplib. */
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import process from "node:process";
import { connect } from "amqplib";

const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createConfirmChannel();
const { queue: replyTo } = await channel.assertQueue("", { exclusive: true });
const calls = new Map<string, (reply?: string) => void>();
await channel.consume(replyTo, (reply) => {
  calls.get(reply?.properties.correlationId)?.(reply?.content.toString());
}, { noAck: true });
const replies = process.argv.slice(2).map((n) => {
  console.log(`[x] Requesting fib(${n})`);
  const correlationId = randomUUID();
  const options = { replyTo, correlationId, mandatory: true };
  channel.sendToQueue("rpc_queue", Buffer.from(n), options);
  return new Promise((resolve) => calls.set(correlationId, resolve));
});
for (const reply of await Promise.all(replies)) console.log(`[.] Got ${reply}`);
await connection.close();
