/** 06-rpc/server.ts on bare amqplib. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";

const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createChannel();
const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("rpc_queue", settings);
await channel.prefetch(1);
console.log("[x] Awaiting RPC requests");
await channel.consume("rpc_queue", (request) => {
  if (request === null) return;
  const n = request.content.toString();
  console.log(`[.] fib(${n})`);
  let [current, next] = [0n, 1n];
  for (let i = 0; i < Number(n); i++) [current, next] = [next, current + next];
  const { replyTo, correlationId } = request.properties;
  channel.sendToQueue(replyTo, Buffer.from(`${current}`), { correlationId });
  channel.ack(request);
});
