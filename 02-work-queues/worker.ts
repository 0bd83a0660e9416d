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

const { prefetch } = yargs(process.argv.slice(2)).locale("en").strict()
  .usage("Usage: npx tsx 02-work-queues/worker.ts [--prefetch 1]")
  .option("prefetch", { type: "number", default: 1, describe: "Tasks at a time" })
  .check(({ prefetch: n }) =>
    (Number.isInteger(n) && n > 0 && n < 65_536) || "--prefetch must be 1-65535"
  ).requiresArg("prefetch").parseSync();

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("task_queue", settings);
  // Fair dispatch: with a prefetch of 1, a busy worker gets no new task.
  await channel.prefetch(prefetch);
  console.log("[*] Waiting for messages. To exit press CTRL+C");

  await channel.consume("task_queue", async (message) => {
    // RabbitMQ has cancelled the consumer, for example with its queue: start again.
    if (message === null) return void connection.close();

    const task = message.content.toString();
    console.log(`[x] Received ${quoted(task)}`);
    if (message.fields.redelivered) {
      console.error("[!] Redelivered: it may have been done before");
    }

    // The work: a second for each dot.
    const dots = task.split(".").length - 1;
    if (dots > 0) await setTimeout(dots * 1000);
    console.log("[x] Done");
    // If the worker dies before this line, another worker does the task again.
    channel.ack(message);
  }, { noAck: false });
});
