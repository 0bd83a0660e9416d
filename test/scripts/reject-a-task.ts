/** The worker of lesson 2, with work that can fail: it rejects the task and continues. */
import { setTimeout } from "node:timers/promises";
import { stayConnected } from "../../shared/connection.ts";
import { quoted } from "../../shared/text.ts";

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("task_queue", settings);
  console.log("[*] Waiting for messages. To exit press CTRL+C");

  async function work(task: string): Promise<void> {
    await setTimeout(10);
    if (task.startsWith("bad")) throw new RangeError("this cannot be done");
  }

  await channel.consume("task_queue", async (message) => {
    if (message === null) return;
    const task = message.content.toString();
    try {
      await work(task);
      channel.ack(message);
    } catch (error) {
      console.error(`[!] Rejected ${quoted(task)}: ${error}`);
      channel.reject(message, false); // false: do not requeue it.
    }
  });
});
