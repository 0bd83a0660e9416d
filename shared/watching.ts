/** Watches a connection and the channels that a lesson opens on it, and reports their errors. */
import { setTimeout } from "node:timers/promises";
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from "amqplib";
import { connectOptions } from "./broker-address.ts";
import { ExplainedError, messageOf } from "./explain.ts";
import { SLOW, state, waitFor, warn } from "./reporting.ts";
import { quoted } from "./text.ts";

const DELETED =
  "It was deleted after the script had declared it. Run the script again to declare it.";
const REJECTED =
  "A queue is full and rejects messages, was deleted, or has too few nodes running.";

/** How long RabbitMQ may take to delete a queue, in milliseconds. */
const DELETION_TIME = 500;

/** What may happen to a connection and its channels. */
export interface ConnectionEvents {
  /** The connection was closed; by the script itself if there is no reason. */
  closed(reason?: Error): void;
  /** The broker closed a channel or cancelled a consumer. */
  lost(reason: Error): void;
  /** A callback of the lesson threw, or the broker returned a message unexpectedly. */
  failed(error: Error): void;
}

/**
 * Watches a connection, and every channel as soon as it is opened. (If a channel's "error" event
 * has no listener, amqplib breaks the connection.)
 * https://amqp-node.github.io/amqplib/channel_api.html#channel_events
 *
 * @param connection the connection; its createChannel and createConfirmChannel are wrapped
 * @param events the functions to call
 * @returns the channels opened so far; the list grows
 */
export function watch(connection: ChannelModel, events: ConnectionEvents): Channel[] {
  connection.on("error", () => {}); // "close" follows, with the same error.
  connection.on("close", events.closed);
  // https://www.rabbitmq.com/docs/connection-blocked
  connection.on("blocked", (reason) => {
    warn(`The broker does not accept messages: ${reason}. Waiting until it does ...`);
  });
  connection.on("unblocked", () => warn("The broker accepts messages again."));

  const channels: Channel[] = [];
  const createChannel = connection.createChannel.bind(connection);
  const createConfirmChannel = connection.createConfirmChannel.bind(connection);

  function watched<C extends Channel>(channel: C): C {
    channels.push(channel);
    channel.on("error", events.lost);
    channel.on("handler-error", events.failed);
    channel.on("return", ({ fields: { exchange, routingKey } }) => {
      if (channel.listenerCount("return") > 1) return; // The lesson has its own listener.
      events.failed(
        exchange === "" ? queueDeleted(routingKey) : unroutable(routingKey),
      );
    });

    const assertQueue = channel.assertQueue.bind(channel);
    const assertExchange = channel.assertExchange.bind(channel);
    const consume = channel.consume.bind(channel);
    channel.assertQueue = (...args) =>
      waitFor(assertQueue(...args), "declared the queue");
    channel.assertExchange = (...args) =>
      waitFor(assertExchange(...args), "declared the exchange");

    const queues = new Map<string, string>(); // By consumer tag.
    let latest = ""; // A consumer may be cancelled before its tag is known.
    channel.consume = async (queue, ...rest) => {
      latest = queue;
      const consumer = await waitFor(consume(queue, ...rest), "started the consumer");
      queues.set(consumer.consumerTag, queue);
      return consumer;
    };
    channel.on("cancel", async ({ consumerTag }) => {
      const queue = queues.get(consumerTag) ?? latest;
      await setTimeout(DELETION_TIME); // RabbitMQ cancels the consumer first.
      const fate = await isDeleted(queue);
      const known = fate ? ", because the queue was deleted" : "";
      const why = fate === false ? ", although the queue still exists" : known;
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

/** Counts the confirms of a channel, and reports messages that are rejected or not confirmed. */
function watchConfirms(channel: ConfirmChannel): ConfirmChannel {
  let confirmed = 0;
  let queue = ""; // The latest queue addressed through the default exchange.
  const publish = channel.publish.bind(channel);
  channel.publish = (exchange, routingKey, content, options, callback) => {
    if (exchange === "") queue = routingKey;
    return publish(exchange, routingKey, content, options, (error, ok) => {
      if (error === null) confirmed++;
      callback?.(error, ok);
    });
  };

  // RabbitMQ may neither confirm nor return messages in flight to a queue that is deleted.
  const check = async () => {
    if (queue && await isDeleted(queue)) throw queueDeleted(queue);
  };
  const waitForConfirms = channel.waitForConfirms.bind(channel);
  channel.waitForConfirms = async () => {
    try {
      return await waitFor(waitForConfirms(), "confirmed the messages", check);
    } catch (error) {
      if (messageOf(error) !== "message nacked") throw error;
      const rejected = "RabbitMQ rejected a message (basic.nack)";
      throw new ExplainedError(
        `${rejected}, after it had confirmed ${confirmed}.\n${REJECTED}`,
      );
    }
  };
  return channel;
}

/** Tells whether a queue has been deleted; undefined if the broker does not say. */
async function isDeleted(queue: string): Promise<boolean | undefined> {
  // On a new connection, because RabbitMQ may have stopped reading from the first one.
  const options = connectOptions(state.address);
  const connection = await connect(options, { timeout: SLOW }).catch(() => undefined);
  connection?.on("error", () => {});
  const channel = await connection?.createChannel().catch(() => undefined);
  channel?.on("error", () => {}); // checkQueue() rejects with the same error.
  const answer = await channel?.checkQueue(queue).then(
    () => false,
    (error) => error.code === 404 || undefined,
  );
  await connection?.close().catch(() => {});
  return answer;
}

/** The error of a producer whose queue was deleted. */
function queueDeleted(queue: string): ExplainedError {
  return new ExplainedError(
    `RabbitMQ dropped a message, because the queue ${
      quoted(queue)
    } no longer exists.\n${DELETED}`,
  );
}

/** The error of a producer whose message matches no binding. */
function unroutable(routingKey: string): ExplainedError {
  return new ExplainedError(
    `RabbitMQ dropped a message, because no binding matches ${quoted(routingKey)}.`,
  );
}
