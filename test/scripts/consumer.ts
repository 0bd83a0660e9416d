/** A consumer with the bug, or in the trouble, that its argument names. */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { stayConnected } from "../../shared/connection.ts";

const [what] = process.argv.slice(2);
let calls = 0;
let acknowledged = 0;

await stayConnected(async (connection) => {
  calls++;
  const channel = await connection.createChannel();
  if (what === "transient queue") await channel.assertQueue("q", { durable: false });
  if (what === "hang in the set-up" && calls === 1) {
    console.log("hanging");
    await new Promise(() => {}); // Until the connection is closed, and longer.
  }
  if (what === "throw after a reconnect" && calls > 1) throw new RangeError("a bug");
  const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue("hello", settings);
  console.log("[*] Waiting for messages. To exit press CTRL+C");

  if (what === "throw at once" || what === "throw undefined") {
    await channel.consume("hello", () => {
      throw what === "throw at once" ? new RangeError("a bug") : undefined;
    });
    return;
  }
  if (what === "consume twice") { // The first one is cancelled before the second one.
    await channel.consume("hello", (message) => void (message ?? connection.close()));
    if (calls === 1) await channel.deleteQueue("hello");
  }
  const confirms = await connection.createConfirmChannel();
  await channel.consume("hello", async (message) => {
    if (message === null) {
      connection.close();
      return;
    }
    channel.ack(message);
    acknowledged++;
    if (what === "leave after 50 messages" && acknowledged === 50) {
      process.emit("SIGINT", "SIGINT");
    }
    if (what === "acknowledge twice") channel.ack(message);
    if (what === "no exchange") channel.publish("lgos", "", Buffer.from("a typo"));
    if (what === "throw in a confirm") {
      confirms.sendToQueue("hello", Buffer.from(""), {}, () => {
        throw new RangeError("a bug");
      });
      return;
    }
    if (what === "throw later") await sleep(10);
    if (what === "throw a system error") readFileSync("/no/such/file");
    if (what?.startsWith("throw")) throw new RangeError("a bug");
  });
});
