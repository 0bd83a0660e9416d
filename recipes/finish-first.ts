/**
 * How do I stop a worker without doing work twice?
 *     npx tsx recipes/finish-first.ts
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

const connection = await connect();
const publisher = await connection.createConfirmChannel();
// An interrupted run may have left messages. Do not copy this line: it deletes them.
await publisher.deleteQueue("recipes.pages");
const quorum = { durable: true, arguments: { "x-queue-type": "quorum" } };
await publisher.assertQueue("recipes.pages", quorum);
publisher.sendToQueue("recipes.pages", Buffer.from("page 1"));
publisher.sendToQueue("recipes.pages", Buffer.from("page 2"));
await publisher.waitForConfirms();
const channel = await connection.createChannel();
let unfinished = 0;
// Docker, Kubernetes and systemd send this signal, and do not wait for very long.
process.once("SIGTERM", async () => {
  console.log("[!] SIGTERM: taking no more, and finishing what was begun");
  await channel.cancel("printer");
  while (unfinished > 0) await sleep(10);
  // Closing the connection alone could overtake the last acknowledgements.
  await channel.close();
  const next = await publisher.get("recipes.pages");
  if (next) console.log(`[*] The next worker begins with ${quoted(next.content)}`);
  await publisher.deleteQueue("recipes.pages");
  await connection.close();
});
await channel.prefetch(1);
await channel.consume("recipes.pages", async (message) => {
  if (message === null) throw new Error("RabbitMQ has cancelled the consumer");
  unfinished++;
  console.log(`[x] Printing ${quoted(message.content)}`);
  // Here, the signal comes from the program itself, in the middle of its work.
  process.emit("SIGTERM", "SIGTERM");
  await sleep(300);
  console.log(`[x] Printed ${quoted(message.content)}`);
  channel.ack(message);
  unfinished--;
}, { consumerTag: "printer" });
