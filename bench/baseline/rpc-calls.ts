/** The baseline for ../rpc-calls.ts: the same calls over a bare channel. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { connect } from "amqplib";

const [calls = 0, outstanding = 0] = process.argv.slice(2).map(Number);
const connection = await connect(process.env.AMQP_URL ?? "", { noDelay: true });
const channel = await connection.createChannel();
const { queue: replyTo } = await channel.assertQueue("", { exclusive: true });
const waiting = new Map<string, (reply: bigint) => void>();
await channel.consume(replyTo, (reply) => {
  waiting.get(reply?.properties.correlationId)?.(
    BigInt(reply?.content.toString() ?? ""),
  );
  waiting.delete(reply?.properties.correlationId);
}, { noAck: true });

let started = 0;
async function callOneAfterTheOther(): Promise<void> {
  while (started < calls) {
    const correlationId = String(started++);
    await new Promise<bigint>((resolve) => {
      waiting.set(correlationId, resolve);
      channel.sendToQueue("rpc_queue", Buffer.from("30"), { replyTo, correlationId });
    });
  }
}
const begin = performance.now();
await Promise.all(Array.from({ length: outstanding }, callOneAfterTheOther));
console.log(`${calls} calls in ${performance.now() - begin} ms`);
await connection.close();
