/** Publishing so that nothing is lost. */
import type { Buffer } from "node:buffer";
import type { ConfirmChannel, Message, Options } from "amqplib";

/**
 * Publishes a message, and waits for RabbitMQ's confirm that it has stored it.
 * https://www.rabbitmq.com/docs/confirms#publisher-confirms
 *
 * @throws Error if RabbitMQ does not confirm it; it may then have it all the same
 */
export function publish(
  channel: ConfirmChannel,
  exchange: string,
  routingKey: string,
  content: Buffer,
  options: Options.Publish,
): Promise<void> {
  // Persistent: it survives a restart of RabbitMQ. Mandatory: if there is no queue for
  // it, it is returned, and not dropped.
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
 * @throws Error if that fails; the message is then where it was
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
