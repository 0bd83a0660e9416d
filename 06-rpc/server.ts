/**
 * Lesson 6, the server: sends each reply to the queue that "reply_to" names.
 *     npx tsx 06-rpc/server.ts
 */
import { Buffer } from "node:buffer";
import { stayConnected } from "../shared/connection.ts";
import { readOptions } from "../shared/options.ts";
import { escaped } from "../shared/text.ts";

const { prefetch } = await readOptions({ prefetch: 1 }, "[--prefetch 1]");

/** A loop: with the recursion of the article, fib(50) would take minutes. */
function fib(n: number): bigint {
  let current = 0n;
  let next = 1n;
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
    // Null: RabbitMQ has cancelled this consumer, for example because its queue was
    // deleted. Closing the connection makes stayConnected start again from the top.
    if (request === null) {
      connection.close();
      return;
    }

    const n = request.content.toString();
    console.log(`[.] fib(${escaped(n.slice(0, 60))})`);
    // At most four digits, so that nobody keeps this server busy for long.
    const reply = /^\d{1,4}$/.test(n) ? fib(Number(n)) : "error: n must be 0-9999";
    const { replyTo, correlationId } = request.properties;

    // Over some addresses of this kind (direct reply-to), RabbitMQ before 4.3 closes
    // the connection. Acknowledged first, such a request does not come again.
    const isDirect = replyTo?.startsWith("amq.rabbitmq.reply-to.");
    if (isDirect) channel.ack(request);
    try {
      // The correlation id tells the client which of its requests this reply is for.
      channel.sendToQueue(replyTo, Buffer.from(`${reply}`), { correlationId });
    } catch (error) { // For example, there is no "reply_to".
      console.error(`[!] Cannot reply: ${error}`);
    }
    // If the server dies before this line, another one replies.
    if (!isDirect) channel.ack(request);
  }, { noAck: false });
});
