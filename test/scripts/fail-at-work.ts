/** A worker that does not handle errors of its work. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { stayConnected } from "../../shared/connection.ts";

await stayConnected(async (connection) => {
  const channel = await connection.createChannel();
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("task_queue", settings);
  console.log("[*] Waiting for messages. To exit press CTRL+C");
  await channel.consume("task_queue", async (message) => {
    if (message === null) return;
    if (process.argv[2] === "later") await setTimeout(10);
    if (process.argv[2] === "file") readFileSync("/no/such/file");
    throw new RangeError("this cannot be done");
  });
});
