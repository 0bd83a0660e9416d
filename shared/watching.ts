/** Watches a connection and the channels that a lesson opens on it: nothing is lost unsaid. */
import { clearTimeout, setTimeout } from "node:timers";
import type { Channel, ChannelModel, ConfirmChannel } from "amqplib";
import { ExplainedError, words } from "./explain.ts";
import { warn } from "./reporting.ts";
import { quoted } from "./text.ts";

/** How long, in milliseconds, to wait for confirms before saying so. */
const PATIENCE = 5000;

/** What may happen to a connection and its channels. */
export interface ConnectionEvents {
  /** The connection is closed; there is no reason where we have closed it. */
  closed(reason?: Error): void;
  /** The broker closed a channel, or cancelled the consumer of a queue. */
  lost(reason: Error): void;
  /** The lesson's own callback threw, or a message came back that it does not expect. */
  failed(error: Error): void;
}

/**
 * Watches a connection, and every channel from the moment when it is opened: amqplib turns
 * the "error" event of a channel without a listener into a broken connection.
 * https://amqp-node.github.io/amqplib/channel_api.html#channel_events
 *
 * @param connection the connection; its createChannel and createConfirmChannel are wrapped
 * @param events what to call
 * @returns the channels opened on it, a list that grows
 */
export function watch(connection: ChannelModel, events: ConnectionEvents): Channel[] {
  connection.on("error", () => {}); // "close" follows, with the same reason.
  connection.on("close", events.closed);
  // https://www.rabbitmq.com/docs/connection-blocked
  connection.on("blocked", (reason) => {
    warn(`The broker takes no messages for now: ${reason}. Waiting until it does ...`);
  });
  connection.on("unblocked", () => warn("The broker takes messages again."));

  const channels: Channel[] = [];
  const createChannel = connection.createChannel.bind(connection);
  const createConfirmChannel = connection.createConfirmChannel.bind(connection);

  function watched<C extends Channel>(channel: C): C {
    channels.push(channel);
    channel.on("error", events.lost);
    channel.on("handler-error", events.failed);
    channel.on("return", ({ fields: { routingKey } }) => {
      if (channel.listenerCount("return") > 1) return; // The lesson has a listener of its own.
      events.failed(
        new ExplainedError(
          `RabbitMQ returned the message: there is no queue ${
            quoted(routingKey)
          } any more.\n` +
            "It was deleted after it had been declared. To declare it again, run this again.",
        ),
      );
    });

    const consume = channel.consume.bind(channel);
    const queues = new Map<string, string>(); // By consumer tag.
    channel.consume = async (queue, ...rest) => {
      const consumer = await consume(queue, ...rest);
      queues.set(consumer.consumerTag, queue);
      return consumer;
    };
    channel.on("cancel", async ({ consumerTag }) => {
      const queue = queues.get(consumerTag) ?? "";
      const another = await createChannel().catch(() => undefined);
      another?.on("error", () => {}); // checkQueue() rejects, which says the same.
      const isThere = await another?.checkQueue(queue).then(() => true, () => false);
      events.lost(
        new Error(
          isThere
            ? `RabbitMQ cancelled the consumer of the queue ${
              quoted(queue)
            }, which is still there`
            : `the queue ${
              quoted(queue)
            } was deleted, so RabbitMQ cancelled its consumer`,
        ),
      );
    });
    return channel;
  }

  connection.createChannel = async (options) => watched(await createChannel(options));
  connection.createConfirmChannel = async (options) =>
    watchConfirms(watched(await createConfirmChannel(options)));
  return channels;
}

/** Counts the confirms of a channel, and says so when they are refused or long in coming. */
function watchConfirms(channel: ConfirmChannel): ConfirmChannel {
  let confirmed = 0; // All up to this delivery tag, ...
  const beyond = new Set<number>(); // ... and these.
  channel.on("ack", ({ deliveryTag, multiple }) => {
    if (multiple) confirmed = deliveryTag;
    else beyond.add(deliveryTag);
    for (const tag of beyond) if (tag <= confirmed) beyond.delete(tag);
    while (beyond.delete(confirmed + 1)) confirmed++;
  });

  const waitForConfirms = channel.waitForConfirms.bind(channel);
  channel.waitForConfirms = async () => {
    const patience = setTimeout(() => {
      warn("RabbitMQ has not confirmed yet. Waiting until it does ...");
    }, PATIENCE);
    try {
      return await waitForConfirms();
    } catch (error) {
      if (words(error) !== "message nacked") throw error;
      throw new ExplainedError(
        `RabbitMQ refused a message (basic.nack). It had confirmed ${
          confirmed + beyond.size
        } before.\n` +
          "Its queue is full and rejects more, was deleted, or lost most of its nodes.",
      );
    } finally {
      clearTimeout(patience);
    }
  };
  return channel;
}
