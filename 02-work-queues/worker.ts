/**
 * Lesson 2, the consumer: takes tasks from the queue "task_queue", one at a time.
 * Start two workers and watch them share the tasks.
 *     npx tsx 02-work-queues/worker.ts
 */
import { setTimeout as sleep } from "node:timers/promises";
import { stayConnected } from "../shared/connection.ts";
import { readOptions } from "../shared/options.ts";
import { quoted } from "../shared/text.ts";

const { prefetch } = await readOptions({ prefetch: 1 }, "[--prefetch 1]");

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("task_queue", settings);
  // Fair dispatch: with a prefetch of 1, a busy worker gets no new task.
  await channel.prefetch(prefetch);
  console.log("[*] Waiting for messages. To exit press CTRL+C");

  await channel.consume("task_queue", async (message) => {
    // Null: RabbitMQ has cancelled this consumer, for example because its queue was
    // deleted. Closing the connection makes stayConnected start again from the top.
    if (message === null) {
      connection.close();
      return;
    }

    const task = message.content.toString();
    console.log(`[x] Received ${quoted(task)}`);
    if (message.fields.redelivered) {
      console.error("[!] Redelivered: it may have been done before");
    }

    // The work: a second for each dot.
    const dots = task.split(".").length - 1;
    if (dots > 0) await sleep(dots * 1000);
    console.log("[x] Done");
    try {
      // If the worker dies before this line, another worker does the task again.
      channel.ack(message);
    } catch { // The connection was lost meanwhile, and the channel with it.
      console.error("[!] Not acknowledged: RabbitMQ redelivers the task");
    }
  }, { noAck: false });
});
