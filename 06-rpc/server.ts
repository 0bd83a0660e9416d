/**
 * Lesson 6, the server: sends each reply to the queue that "reply_to" names.
 *     npx tsx 06-rpc/server.ts
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import yargs from "yargs";
import { stayConnected } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const { prefetch } = yargs(process.argv.slice(2)).strict()
  .usage("Usage: npx tsx 06-rpc/server.ts\n\nReplies to the requests of client.ts.")
  .example("npx tsx 06-rpc/server.ts --prefetch 50", "buffers up to fifty requests")
  .option("prefetch", { type: "number", default: 1, describe: "Requests at a time" })
  .check(({ prefetch: n }) => (n >= 1 && n <= 65_535) || "--prefetch must be 1-65535")
  .requiresArg("prefetch").parseSync();

const ERROR = "error: n must be a whole number from 0 to 100000";

/** Exact for every n. A loop, because with recursion, fib(50) would take minutes. */
async function fib(n: number): Promise<bigint> {
  let [current, next] = [0n, 1n];
  for (let i = 0; i < n; i++) {
    [current, next] = [next, current + next];
    if (i % 1000 === 999) await setImmediate(); // Keeps the connection alive.
  }
  return current;
}

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("rpc_queue", settings);
  await channel.prefetch(prefetch); // By default 1: several servers share the load.
  console.log("[x] Awaiting RPC requests");

  await channel.consume("rpc_queue", async (request) => {
    if (request === null) return; // RabbitMQ cancelled the consumer: it starts again.
    const text = request.content.toString();
    const isValid = /^\d{1,6}$/.test(text) && Number(text) <= 100_000;
    if (isValid) console.log(`[.] fib(${text})`);
    else console.error(`[!] Invalid request: ${quoted(text.slice(0, 60))}`);
    const reply = isValid ? `${await fib(Number(text))}` : ERROR;
    // The correlation id tells the client which of its requests this reply is for.
    const { replyTo, correlationId } = request.properties;
    if (`${replyTo}${correlationId}`.includes("\ufffd")) {
      console.error("[!] Cannot reply: reply_to or correlation_id is not valid UTF-8");
    } else if (replyTo) {
      channel.sendToQueue(replyTo, Buffer.from(reply), { correlationId });
    }
    channel.ack(request); // If the server dies before this, another one replies.
  }, { noAck: false });
});
