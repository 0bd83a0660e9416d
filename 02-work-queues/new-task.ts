/**
 * Lesson 2, the producer: puts tasks on the queue "task_queue". Every dot in a task stands for a second of work.
 *
 *     npx tsx 02-work-queues/new-task.ts a hard task..
 *     npx tsx 02-work-queues/new-task.ts a quick one --count 1000
 */
import { Buffer } from "node:buffer";
import { commandLine, refuse } from "../shared/command-line.ts";
import { quoted, withConfirmChannel } from "../shared/connection.ts";

const { words, count } = await commandLine({
  usage: "tsx 02-work-queues/new-task.ts [message..] [--count N]",
  example: ["tsx 02-work-queues/new-task.ts a hard task..", "sends a task of two seconds"],
  describe: { count: "How often to send it" },
}, { count: 1 });
if (!Number.isSafeInteger(count) || count < 1) refuse("--count takes one whole number, from 1");
const message = words.length > 0 ? words.join(" ") : "Hello World!";

/** So many messages are under way at most: enough to keep the broker busy, few enough for any memory. */
const WINDOW = 500;

await withConfirmChannel(async (channel) => {
  // Durable: the queue outlives a restart of the broker.
  await channel.assertQueue("task_queue", { durable: true, arguments: { "x-queue-type": "quorum" } });

  for (let sent = 0; sent < count; sent += WINDOW) {
    const batch = Math.min(WINDOW, count - sent);
    for (let i = 0; i < batch; i++) {
      // Persistent: the message outlives it too. A durable queue alone would come back empty.
      channel.sendToQueue("task_queue", Buffer.from(message), { persistent: true });
    }

    // Waiting once for many confirms is what makes sending fast; not waiting at all would lose tasks unnoticed.
    await channel.waitForConfirms();
    console.log(Array(batch).fill(`[x] Sent ${quoted(message)}`).join("\n"));
  }
});
