/**
 * Lesson 2, the consumer: takes tasks from the queue "task_queue", one at a time.
 * Start two and watch them share.
 *     npx tsx 02-work-queues/worker.ts
 */
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import yargs from "yargs";
import { stayConnected } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const { prefetch } = yargs(process.argv.slice(2)).strict()
  .usage("Usage: npx tsx 02-work-queues/worker.ts\n\nDoes the tasks on a queue.")
  .example("npx tsx 02-work-queues/worker.ts --prefetch 9", "does nine tasks at once")
  .option("prefetch", { type: "number", default: 1, describe: "Tasks at a time" })
  .check(({ prefetch: n }) => (n >= 1 && n < 65_536) || "--prefetch takes 1 to 65535")
  .requiresArg("prefetch").parseSync();

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("task_queue", settings);
  // Fair dispatch: no new task for a worker that has not acknowledged the last one.
  await channel.prefetch(prefetch);
  console.log("[*] Waiting for messages. To exit press CTRL+C");

  await channel.consume("task_queue", async (message) => {
    if (message === null) return; // Cancelled: stayConnected() starts over.
    const task = message.content.toString();
    console.log(`[x] Received ${quoted(task)}`);
    const returns = message.properties.headers?.["x-delivery-count"] ?? 1;
    if (message.fields.redelivered) {
      console.error(`[!] Attempt ${returns + 1}: the one before was not acknowledged`);
    }

    const dots = task.split(".").length - 1;
    if (dots > 0) await setTimeout(dots * 1000);
    console.log("[x] Done");
    // A worker that dies before this leaves the task to another, who may do it again.
    channel.ack(message);
  }, { noAck: false });
});
