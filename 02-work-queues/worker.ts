/**
 * Lesson 2, the consumer: takes tasks from the queue "task_queue", one at a time. Start two and watch them share.
 *
 *     npx tsx 02-work-queues/worker.ts
 */
import { setTimeout } from "node:timers/promises";
import { commandLine, refuse } from "../shared/command-line.ts";
import { quoted, stayConnected } from "../shared/connection.ts";

const { words, prefetch } = await commandLine({
  usage: "tsx 02-work-queues/worker.ts [--prefetch N]",
  example: ["tsx 02-work-queues/worker.ts --prefetch 10", "works on up to ten tasks at once"],
  describe: { prefetch: "Tasks to take at once" },
}, { prefetch: 1 });
if (words.length > 0) refuse("Too many words: this script takes none");
if (!Number.isInteger(prefetch) || prefetch < 1 || prefetch > 65_535) refuse("--prefetch takes 1 to 65535");

await stayConnected(async (channel) => {
  await channel.assertQueue("task_queue", { durable: true, arguments: { "x-queue-type": "quorum" } });

  // Fair dispatch: no new task for this worker before it has acknowledged the last one. Without this, RabbitMQ
  // deals the tasks out in turn, however busy a worker still is.
  await channel.prefetch(prefetch);

  console.log("[*] Waiting for messages. To exit press CTRL+C");

  await channel.consume("task_queue", async (message) => {
    if (message === null) return; // The queue was deleted; stayConnected() runs all of this again.
    const task = message.content.toString();
    console.log(`[x] Received ${quoted(task)}`);

    const dots = task.split(".").length - 1;
    if (dots > 0) await setTimeout(dots * 1000);
    console.log("[x] Done");

    // If we die before this line, RabbitMQ gives the task to another worker: no task is lost, but one may be done
    // twice. So it is when the connection was lost meanwhile, and the channel with it.
    try {
      channel.ack(message);
    } catch {
      console.error(`[!] Too late to acknowledge ${quoted(task)}: RabbitMQ gives it out again`);
    }
  }, { noAck: false });
});
