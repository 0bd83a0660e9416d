/** The exchange and the queues. Every program declares them: whoever is first. */
import type { Channel, Options } from "amqplib";

/** The exchange that gives each event to all subscribers. */
export const EXCHANGE = "orders";
/** To add a subscriber, add its name, and write its program. */
export const SUBSCRIBERS = ["sms", "coupon"];

/** Declares everything, also for subscribers that have never run: none misses an event. */
export async function declareTopology(channel: Channel): Promise<void> {
  await channel.assertExchange(EXCHANGE, "fanout", { durable: true });
  for (const name of SUBSCRIBERS) {
    // Dead letters wait here for somebody to look at them: see replay.ts.
    await channel.assertQueue(`${name}.dead`, quorum());
    // When a message expires here, it goes back to the subscriber. The delay comes
    // with the message: a delay of the queue could not be changed.
    await channel.assertQueue(`${name}.retry`, quorum(name));
    // A message that 21 times got no answer, as it kills the process, is a dead letter.
    const main = quorum(`${name}.dead`);
    main.arguments["x-delivery-limit"] = 20;
    await channel.assertQueue(name, main);
    await channel.bindQueue(name, EXCHANGE, "");
  }
}

type QueueOptions = Options.AssertQueue & { arguments: Record<string, unknown> };

/** Returns the options of a quorum queue, and to which queue it dead-letters, if any. */
function quorum(deadLetterQueue?: string): QueueOptions {
  const type = { "x-queue-type": "quorum" };
  if (!deadLetterQueue) return { durable: true, arguments: type };
  return {
    durable: true,
    deadLetterExchange: "",
    deadLetterRoutingKey: deadLetterQueue,
    // By default, dead-lettering may lose a message. At least once needs both settings:
    // https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering
    overflow: "reject-publish",
    arguments: { ...type, "x-dead-letter-strategy": "at-least-once" },
  };
}
