/** The exchange and the queues. Every program declares them: whoever is first. */
import type { Channel } from "amqplib";

/** The exchange that gives each event to all subscribers. */
export const EXCHANGE = "orders";
/** To add a subscriber, add its name, and write its program. */
export const SUBSCRIBERS = ["sms", "coupon"];

/** Declares all, also for subscribers that have never run: none misses an event. */
export async function declareTopology(channel: Channel): Promise<void> {
  await channel.assertExchange(EXCHANGE, "fanout", { durable: true });
  for (const name of SUBSCRIBERS) {
    // Dead letters wait here for somebody to look at them: see replay.ts.
    await channel.assertQueue(`${name}.dead`, quorum());
    // A message that expires here goes back to the subscriber. The delay comes with the
    // message, because the settings of a queue cannot be changed.
    await channel.assertQueue(`${name}.retry`, quorum(name));
    // If the process dies 21 times with a message, that message becomes a dead letter.
    const limit = { "x-delivery-limit": 20 };
    await channel.assertQueue(name, quorum(`${name}.dead`, limit));
    await channel.bindQueue(name, EXCHANGE, "");
  }
}

/** The options of a quorum queue; with `next`, of one that dead-letters to that one. */
function quorum(next?: string, more: Record<string, unknown> = {}) {
  const type = { "x-queue-type": "quorum", ...more };
  if (!next) return { durable: true, arguments: type };
  return {
    durable: true,
    deadLetterExchange: "",
    deadLetterRoutingKey: next,
    // By default, dead-lettering may lose messages. At-least-once needs both settings:
    // https://www.rabbitmq.com/docs/quorum-queues#dead-lettering
    overflow: "reject-publish",
    arguments: { ...type, "x-dead-letter-strategy": "at-least-once" },
  };
}
