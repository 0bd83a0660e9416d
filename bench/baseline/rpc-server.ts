/**
 * The baseline for 06-rpc/server.ts: it replies, prints the same lines and acknowledges. With a second argument, it does
 * not set noDelay, like the official server.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";

const [prefetch, delay] = process.argv.slice(2);
const connection = await connect(process.env.AMQP_URL ?? "", {
  noDelay: delay === undefined,
});
const channel = await connection.createChannel();
await channel.assertQueue("rpc_queue", {
  durable: true,
  arguments: { "x-queue-type": "quorum" },
});
await channel.prefetch(Number(prefetch));
console.log("[x] Awaiting RPC requests");
await channel.consume("rpc_queue", (request) => {
  if (request === null) return;
  const n = Number(request.content.toString());
  console.log(`[.] fib(${n})`);
  let [current, next] = [0n, 1n];
  for (let i = 0; i < n; i++) [current, next] = [next, current + next];
  const { replyTo, correlationId } = request.properties;
  channel.sendToQueue(replyTo, Buffer.from(String(current)), { correlationId });
  channel.ack(request);
});
