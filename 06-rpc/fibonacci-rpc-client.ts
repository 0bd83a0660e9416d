/** Lesson 6, the article's class: calls the server as if it were a local function. */
import { Buffer } from "node:buffer";
import { clearTimeout, setTimeout } from "node:timers";
import type { ConfirmChannel } from "amqplib";
import { v4 as uuid } from "uuid";
import { quoted } from "../shared/text.ts";

const START = "Start one: npx tsx 06-rpc/server.ts";
type Call = { resolve(reply: string): void; reject(reason: Error): void };

/** Any number of calls can be outstanding at once; they share one callback queue. */
export class FibonacciRpcClient {
  readonly #channel: ConfirmChannel;
  #callbackQueue?: Promise<string>;
  /** The outstanding calls, by correlation id. */
  readonly #calls = new Map<string, Call>();

  /** @param channel one that no other client uses, because it tells of lost requests */
  constructor(channel: ConfirmChannel) {
    this.#channel = channel;
    channel.on("close", () => {
      const reason = new Error("the channel was closed, or the callback queue deleted");
      for (const call of this.#calls.values()) call.reject(reason);
    });
    channel.on("return", ({ properties: { correlationId } }) => {
      const reason = `rpc_queue does not exist, so no server is running. ${START}`;
      this.#calls.get(correlationId)?.reject(new Error(reason));
    });
  }

  /**
   * Requests a Fibonacci number from the server.
   *
   * @param n its index, a whole number from 0
   * @param timeout how long to wait for the reply, in seconds
   * @returns the exact number; rejects if no reply arrives, or the reply is an error
   */
  async call(n: number | bigint, timeout = 10): Promise<bigint> {
    // The first call declares the callback queue. All others share it, also at once.
    this.#callbackQueue ??= this.#declareCallbackQueue();
    const replyTo = await this.#callbackQueue;
    const correlationId = uuid();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const reply = await new Promise<string>((resolve, reject) => {
        this.#calls.set(correlationId, { resolve, reject });
        const late = `no reply within ${timeout} s. Is a server running? ${START}`;
        timer = setTimeout(() => reject(new Error(late)), timeout * 1000);
        // After its expiration, no server receives the request.
        const expiration = Math.ceil(timeout * 1000);
        // Mandatory: if there is no rpc_queue, RabbitMQ returns the request.
        const options = { replyTo, correlationId, expiration, mandatory: true };
        const content = Buffer.from(String(n));
        this.#channel.sendToQueue("rpc_queue", content, options, (error) => {
          if (error) reject(new Error(`request not confirmed: ${error.message}`));
        });
      });
      if (!/^\d+$/.test(reply)) throw new Error(`the server replied ${quoted(reply)}`);
      return BigInt(reply);
    } finally {
      clearTimeout(timer);
      this.#calls.delete(correlationId);
    }
  }

  /** RabbitMQ names this queue, and deletes it when the connection closes. */
  async #declareCallbackQueue(): Promise<string> {
    const { queue } = await this.#channel.assertQueue("", { exclusive: true });
    await this.#channel.consume(queue, (reply) => {
      // Null: the callback queue was deleted, and without it no call can succeed.
      // Closing the channel rejects the outstanding ones.
      if (reply === null) {
        this.#channel.close();
        return;
      }
      // A reply with an unknown correlation id, or a late one, is ignored.
      const { properties: { correlationId }, content } = reply;
      this.#calls.get(correlationId)?.resolve(content.toString());
    }, { noAck: true });
    return queue;
  }
}
