/**
 * Lesson 6, the server: sends each reply to the queue that "reply_to" names.
 *     npx tsx 06-rpc/server.ts
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import yargs from "yargs";
import { stayConnected } from "../shared/connection.ts";
import { escaped } from "../shared/text.ts";

const { prefetch } = yargs(process.argv.slice(2)).locale("en").strict()
  .usage("Usage: npx tsx 06-rpc/server.ts [--prefetch 1]")
  .option("prefetch", { type: "number", default: 1, describe: "Requests at a time" })
  .check(({ prefetch: n }) =>
    (Number.isInteger(n) && n > 0 && n < 65_536) || "--prefetch must be 1-65535"
  ).requiresArg("prefetch").parseSync();

/** A loop, because with recursion, as in the article, fib(50) would take minutes. */
function fib(n: number): bigint {
  let [current, next] = [0n, 1n];
  for (let i = 0; i < n; i++) [current, next] = [next, current + next];
  return current;
}

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("rpc_queue", settings);
  // By default 1: several servers share the load.
  await channel.prefetch(prefetch);
  console.log("[x] Awaiting RPC requests");

  await channel.consume("rpc_queue", (request) => {
    // RabbitMQ has cancelled the consumer, for example with its queue: start again.
    if (request === null) return void connection.close();
    const n = request.content.toString();
    console.log(`[.] fib(${escaped(n.slice(0, 60))})`);
    // The limit keeps even a hundred requests under a second.
    const reply = /^\d{1,4}$/.test(n) ? fib(Number(n)) : "error: n must be 0-9999";
    // Some values of reply_to make RabbitMQ close the connection. When such a request
    // comes again, this acknowledges it before the reply: it cannot come a third time.
    const { fields: { redelivered }, properties: { replyTo, correlationId } } = request;
    if (redelivered) console.error("[!] Redelivered: acknowledged before the reply");
    if (redelivered) channel.ack(request);
    try {
      // The correlation id tells the client which of its requests this reply is for.
      channel.sendToQueue(replyTo, Buffer.from(`${reply}`), { correlationId });
    } catch (error) {
      console.error(`[!] Cannot reply: ${error}`);
    }
    // If the server dies before this line, another one replies.
    if (!redelivered) channel.ack(request);
  }, { noAck: false });
});
