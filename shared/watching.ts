/** Watches a connection and the channels that a lesson opens on it: nothing is lost unsaid. */
import { setTimeout } from "node:timers/promises";
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from "amqplib";
import { connectOptions } from "./broker-address.ts";
import { ExplainedError, words } from "./explain.ts";
import { PATIENCE, state, waitFor, warn } from "./reporting.ts";
import { quoted } from "./text.ts";

const DELETED =
  "It was deleted after it had been declared. To declare it again, run this again.";
const REFUSED =
  "A queue is full and rejects more, was deleted, or has too few of its nodes running.";

/** How long, in milliseconds, RabbitMQ may take to delete a queue. */
const DELETION = 500;

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
      events.failed(queueDeleted(routingKey));
    });

    const assertQueue = channel.assertQueue.bind(channel);
    const assertExchange = channel.assertExchange.bind(channel);
    const consume = channel.consume.bind(channel);
    channel.assertQueue = (...args) =>
      waitFor(assertQueue(...args), "declared a queue");
    channel.assertExchange = (...args) =>
      waitFor(assertExchange(...args), "declared an exchange");

    const queues = new Map<string, string>(); // By consumer tag.
    let latest = ""; // A consumer may be cancelled before its tag is known here.
    channel.consume = async (queue, ...rest) => {
      latest = queue;
      const consumer = await waitFor(consume(queue, ...rest), "started a consumer");
      queues.set(consumer.consumerTag, queue);
      return consumer;
    };
    channel.on("cancel", async ({ consumerTag }) => {
      const queue = queues.get(consumerTag) ?? latest;
      await setTimeout(DELETION); // RabbitMQ cancels the consumer before the queue is gone.
      const fate = await isDeleted(queue);
      const known = fate ? ", because the queue was deleted" : "";
      const why = fate === false ? ", though the queue is still there" : known;
      events.lost(
        new Error(`RabbitMQ cancelled the consumer of ${quoted(queue)}${why}`),
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
  let confirmed = 0;
  let queue = ""; // The latest that the default exchange was to route to.
  const publish = channel.publish.bind(channel);
  channel.publish = (exchange, routingKey, content, options, callback) => {
    if (exchange === "") queue = routingKey;
    return publish(exchange, routingKey, content, options, (error, ok) => {
      if (error === null) confirmed++;
      callback?.(error, ok);
    });
  };

  // RabbitMQ may neither confirm nor return what was on its way to a queue that is deleted.
  const check = async () => {
    if (queue && await isDeleted(queue)) throw queueDeleted(queue);
  };
  const waitForConfirms = channel.waitForConfirms.bind(channel);
  channel.waitForConfirms = async () => {
    try {
      return await waitFor(waitForConfirms(), "confirmed", check);
    } catch (error) {
      if (words(error) !== "message nacked") throw error;
      const refused = "RabbitMQ refused a message (basic.nack).";
      throw new ExplainedError(
        `${refused} It had confirmed ${confirmed} before.\n${REFUSED}`,
      );
    }
  };
  return channel;
}

/** Whether a queue has been deleted; undefined where the broker does not tell. */
async function isDeleted(queue: string): Promise<boolean | undefined> {
  // On a connection of its own, since RabbitMQ may have stopped reading from the other.
  const options = connectOptions(state.address);
  const connection = await connect(options, { timeout: PATIENCE }).catch(() =>
    undefined
  );
  connection?.on("error", () => {});
  const channel = await connection?.createChannel().catch(() => undefined);
  channel?.on("error", () => {}); // checkQueue() rejects, which says the same.
  const answer = await channel?.checkQueue(queue).then(
    () => false,
    (error) => error.code === 404 || undefined,
  );
  await connection?.close().catch(() => {});
  return answer;
}

/** The end of a producer whose queue is not there any more. */
function queueDeleted(queue: string): ExplainedError {
  return new ExplainedError(
    `RabbitMQ dropped a message, since there is no queue ${
      quoted(queue)
    } any more.\n${DELETED}`,
  );
}
