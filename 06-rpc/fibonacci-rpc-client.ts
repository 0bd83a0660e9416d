/** Lesson 6, the article's class: calls the server as if it were a local function. */
import { Buffer } from "node:buffer";
import { clearTimeout, setTimeout } from "node:timers";
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import { v4 as uuid } from "uuid";
import { quoted } from "../shared/text.ts";
const START = "Start one: npx tsx 06-rpc/server.ts";
type Call = { resolve(fib: bigint): void; reject(reason: Error): void };

/** Any number of calls can be outstanding at once; they share one callback queue. */
export class FibonacciRpcClient {
  #channel: ConfirmChannel;
  #callbackQueue = "";
  /** The outstanding calls, by correlation id. */
  #calls = new Map<string, Call>();

  private constructor(channel: ConfirmChannel) {
    this.#channel = channel;
  }

  /** Declares a callback queue, which RabbitMQ deletes when the connection closes. */
  static async open(channel: ConfirmChannel): Promise<FibonacciRpcClient> {
    const client = new FibonacciRpcClient(channel);
    const { queue } = await channel.assertQueue("", { exclusive: true });
    client.#callbackQueue = queue;
    await channel.consume(queue, (reply) => client.#onReply(reply), { noAck: true });
    channel.on("close", () => client.#rejectAll("the channel was closed"));
    channel.on("return", ({ properties: { correlationId } }) => {
      const reason = `rpc_queue does not exist, so no server is running. ${START}`;
      client.#calls.get(correlationId)?.reject(new Error(reason));
    });
    return client;
  }

  /**
   * Requests a Fibonacci number from the server.
   *
   * @param n its index, a whole number from 0
   * @param timeout how long to wait for the reply, in seconds
   * @returns the exact number; rejects if no reply arrives, or the reply is an error
   */
  async call(n: number | bigint, timeout = 10): Promise<bigint> {
    const correlationId = uuid();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#calls.set(correlationId, { resolve, reject });
        const late = `no reply within ${timeout} s. Is a server running? ${START}`;
        timer = setTimeout(() => reject(new Error(late)), timeout * 1000);
        const options = {
          replyTo: this.#callbackQueue,
          correlationId,
          mandatory: true, // If there is no rpc_queue, RabbitMQ returns the request.
          expiration: Math.ceil(timeout * 1000), // After that, no server receives it.
        };
        const request = Buffer.from(String(n));
        this.#channel.sendToQueue("rpc_queue", request, options, (error) => {
          if (error) reject(new Error(`request not confirmed: ${error.message}`));
        });
      });
    } finally {
      clearTimeout(timer);
      this.#calls.delete(correlationId);
    }
  }

  /** The number of outstanding calls. */
  get outstanding(): number {
    return this.#calls.size;
  }

  #onReply(reply: ConsumeMessage | null): void {
    if (reply === null) return this.#rejectAll("the callback queue was deleted");
    // A reply with an unknown correlation id, or a late one, is ignored.
    const call = this.#calls.get(reply.properties.correlationId);
    const text = reply.content.toString();
    if (/^\d+$/.test(text)) call?.resolve(BigInt(text));
    else call?.reject(new Error(`the server replied ${quoted(text)}`));
  }

  #rejectAll(reason: string): void {
    for (const { reject } of this.#calls.values()) reject(new Error(reason));
  }
}
