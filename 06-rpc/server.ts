/**
 * Lesson 6, the server: takes requests from the queue "rpc_queue", and sends each answer to the queue that the request
 * names. Start several and they share the work.
 *
 *     npx tsx 06-rpc/server.ts
 */
import { Buffer } from "node:buffer";
import { commandLine, refuse } from "../shared/command-line.ts";
import { quoted, stayConnected } from "../shared/connection.ts";

const { words, prefetch } = await commandLine({
  usage: "tsx 06-rpc/server.ts [--prefetch N]",
  example: ["tsx 06-rpc/server.ts", "answers the requests of 06-rpc/client.ts"],
  describe: { prefetch: "Requests to take at once" },
}, { prefetch: 1 });
if (words.length > 0) refuse("Too many words: this script takes none");
if (!Number.isInteger(prefetch) || prefetch < 1 || prefetch > 65_535) refuse("--prefetch takes 1 to 65535");

/** The largest n that is answered, with 20,899 digits: a request that took long would keep the heartbeats waiting. */
const LARGEST_N = 100_000;

/** Exact for every n, and without recursion: with it, fib(50) would take minutes. */
function fib(n: number): bigint {
  let [current, next] = [0n, 1n];
  for (let i = 0; i < n; i++) [current, next] = [next, current + next];
  return current;
}

await stayConnected(async (channel) => {
  await channel.assertQueue("rpc_queue", { durable: true, arguments: { "x-queue-type": "quorum" } });

  // One request at a time, so that several servers share the work evenly.
  await channel.prefetch(prefetch);
  console.log("[x] Awaiting RPC requests");

  await channel.consume("rpc_queue", (request) => {
    if (request === null) return; // The queue was deleted; stayConnected() runs all of this again.
    const text = request.content.toString();
    const good = /^\d{1,6}$/.test(text) && Number(text) <= LARGEST_N;
    if (good) console.log(`[.] fib(${text})`);
    else console.error(`[!] Refused ${quoted(text.slice(0, 60))}`);
    const answer = good ? fib(Number(text)) : `error: n must be a whole number from 0 to ${LARGEST_N}`;

    // The answer goes to the client's callback queue; the correlation id tells the client which request it answers.
    // If the client is gone, so is its queue, and RabbitMQ drops the answer.
    const { replyTo, correlationId } = request.properties;
    try {
      if (replyTo) channel.sendToQueue(replyTo, Buffer.from(String(answer)), { correlationId });
    } catch {
      console.error("[!] A request cannot be answered: its reply_to or correlation_id is not valid text");
    }

    // After the answer: if we die before this line, another server takes the request.
    channel.ack(request);
  }, { noAck: false });
});
