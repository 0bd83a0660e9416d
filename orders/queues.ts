/** The exchange and the queues, and how messages get there without a loss. */
import type { Buffer } from "node:buffer";
import type { Channel, ConfirmChannel, Message, Options } from "amqplib";

/** It gives each event to all subscribers. */
export const EXCHANGE = "orders";
/** To add a subscriber, add its name, and write its program. */
export const SUBSCRIBERS = ["sms", "coupon"] as const;
export type Subscriber = (typeof SUBSCRIBERS)[number];

/** Declares all, also for subscribers that have never run: none misses an event. */
export async function declareAll(channel: Channel): Promise<void> {
  await channel.assertExchange(EXCHANGE, "fanout", { durable: true });
  for (const name of SUBSCRIBERS) {
    // Dead letters wait here for somebody to look at them: see replay.ts. By default,
    // RabbitMQ 4 deletes one that was put back more than 20 times. (On 4.3, a nack does
    // not count, and a reject does.)
    const looks = { "x-delivery-limit": 1_000_000 };
    await channel.assertQueue(`${name}.dead`, quorum(undefined, looks));
    // A message that expires here goes back to the subscriber. The delay comes with
    // the message, because the settings of a queue cannot be changed. (Only the first
    // message expires: a shorter delay waits for the longer ones before it.)
    await channel.assertQueue(`${name}.retry`, quorum(name));
    // If the process dies 21 times with a message, that message becomes a dead letter.
    const limit = { "x-delivery-limit": 20 };
    await channel.assertQueue(name, quorum(`${name}.dead`, limit));
    await channel.bindQueue(name, EXCHANGE, "");
  }
}

/**
 * The options of a quorum queue; with `next`, of one that dead-letters to that one.
 * https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering
 */
function quorum(next?: string, more: Record<string, unknown> = {}) {
  const type = { "x-queue-type": "quorum", ...more };
  if (!next) return { durable: true, arguments: type };
  return {
    durable: true,
    deadLetterExchange: "",
    deadLetterRoutingKey: next,
    // By default, dead-lettering may lose messages. At-least-once needs both settings.
    overflow: "reject-publish",
    arguments: { ...type, "x-dead-letter-strategy": "at-least-once" },
  };
}

/**
 * Publishes a message, and waits for RabbitMQ's confirm that it has stored it.
 * https://www.rabbitmq.com/docs/confirms#publisher-confirms
 *
 * @throws Error if there is no confirm; RabbitMQ may have the message all the same
 */
export function publish(
  channel: ConfirmChannel,
  exchange: string,
  routingKey: string,
  content: Buffer,
  options: Options.Publish,
): Promise<void> {
  // Persistent: it survives a restart of RabbitMQ. Mandatory: if there is no queue for
  // it, RabbitMQ says so by returning it.
  const safely = { ...options, persistent: true, mandatory: true };
  return new Promise((resolve, reject) => {
    channel.publish(exchange, routingKey, content, safely, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/**
 * Moves a message to another queue. If the process dies in between, it is in both: that
 * is better than in none.
 *
 * @param options headers, and the delay as `expiration`, in milliseconds
 */
export async function move(
  channel: ConfirmChannel,
  message: Message,
  queue: string,
  options: Options.Publish,
): Promise<void> {
  const { messageId, contentType } = message.properties;
  const all = { messageId, contentType, ...options };
  await publish(channel, "", queue, message.content, all);
  channel.ack(message);
}
