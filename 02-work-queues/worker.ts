/**
 * Lesson 2, the consumer: takes tasks from the queue "task_queue", one at a time.
 * Start two workers and watch them share the tasks.
 *     npx tsx 02-work-queues/worker.ts
 */
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import yargs from "yargs";
import { stayConnected } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const { prefetch } = yargs(process.argv.slice(2)).strict()
  .usage("Usage: npx tsx 02-work-queues/worker.ts\n\nDoes the tasks in a queue.")
  .example("npx tsx 02-work-queues/worker.ts --prefetch 9", "does nine tasks at once")
  .option("prefetch", { type: "number", default: 1, describe: "Tasks at a time" })
  .check(({ prefetch: n }) => (n >= 1 && n <= 65_535) || "--prefetch must be 1-65535")
  .requiresArg("prefetch").parseSync();

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("task_queue", settings);
  // Fair dispatch: with a prefetch of 1, a busy worker gets no new task.
  await channel.prefetch(prefetch);
  console.log("[*] Waiting for messages. To exit press CTRL+C");

  await channel.consume("task_queue", async (message) => {
    if (message === null) return; // RabbitMQ cancelled the consumer: it starts again.
    const task = message.content.toString();
    console.log(`[x] Received ${quoted(task)}`);
    if (message.fields.redelivered) {
      // RabbitMQ 4.3 counts in x-acquired-count, 3.10 and 4.0 in x-delivery-count.
      const { headers } = message.properties;
      const tries = headers?.["x-acquired-count"] ?? headers?.["x-delivery-count"] ?? 1;
      console.error(`[!] Attempt ${tries + 1}: the previous one was not acknowledged`);
    }

    const dots = task.split(".").length - 1;
    if (dots > 0) await setTimeout(dots * 1000);
    console.log("[x] Done");
    // If the worker dies before this line, another worker does the task again.
    channel.ack(message);
  }, { noAck: false });
});
