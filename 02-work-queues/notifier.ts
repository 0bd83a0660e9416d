/** Sends the notifications that order-service.ts has put into the queue, by SMS. */
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import type { Channel, ConsumeMessage } from "amqplib";
import type { Notification } from "./notification.ts";
import { numberOption, parseNotification, stayConnected } from "./notification.ts";

const prefetch = numberOption("prefetch", "10", 1);
/** Each SMS, sent or being sent, by message id. A real notifier asks its database. */
const sent = new Map<unknown, Promise<void>>();
/** Quotes text from the network on one line, so that it cannot control the terminal. */
const quoted = (text: string) => inspect(text, { breakLength: Infinity });
let open: Channel | undefined;
let isLeaving = false;

const connection = await stayConnected("notifier", async (channel) => {
  open = channel;
  await channel.prefetch(prefetch);
  await channel.consume("notifications", (message) => {
    // null: the consumer was cancelled. While leaving, a message returns to the queue.
    if (message === null || isLeaving) return;
    handle(channel, message).catch((error) => {
      console.error(`[!] RabbitMQ will deliver a message again: ${error.message}`);
    });
  });
  console.log("[*] Waiting for messages. To exit press CTRL+C");
});

/** Sends a notification, and acknowledges it. @throws Error if the channel is closed */
async function handle(channel: Channel, message: ConsumeMessage): Promise<void> {
  const id = message.properties.messageId ?? message;
  try {
    const notification = parseNotification(message.content.toString());
    // If the message comes a second time, it only waits for the SMS of the first time.
    const sms = sent.get(id) ?? sendSms(notification);
    sent.set(id, sms);
    await sms;
  } catch (error) {
    sent.delete(id);
    channel.reject(message, false); // Not to be requeued, but dead-lettered.
    return console.error(`[!] Dead-lettered: ${quoted(String(error))}`);
  }
  // If the process is killed before this line, another one sends the SMS again.
  channel.ack(message);
}

/** Tries to send an SMS three times. @throws Error if the gateway fails each time */
async function sendSms({ phone, text }: Notification): Promise<void> {
  const line = `[x] SMS to ${quoted(phone)}: ${quoted(text)}`;
  for (let attempt = 1; attempt <= 3; attempt++) {
    // A second stands for the gateway, which fails for a number that ends in 000.
    await setTimeout(1000);
    if (!phone.endsWith("000")) return console.log(line);
    // The pause holds up this message only: others are handled meanwhile.
    await setTimeout(1000);
  }
  throw new Error(`The gateway refuses ${phone}`);
}

/** Begins nothing more, finishes what was begun, and ends. */
async function leave(): Promise<void> {
  if (isLeaving) return;
  isLeaving = true;
  await Promise.allSettled(sent.values());
  setTimeout(1000).then(() => process.exit(0)); // A silent broker does not say goodbye.
  // First the channel: closing the connection could overtake the acknowledgements.
  await open?.close().catch(() => {});
  connection.close().then(() => process.exit(0));
}
process.on("SIGINT", leave).on("SIGTERM", leave);
