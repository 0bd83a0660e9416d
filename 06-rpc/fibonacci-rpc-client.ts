/** Lesson 6, the article's class: asks for Fibonacci numbers over RabbitMQ as if it called a function. */
import { Buffer } from "node:buffer";
import { clearTimeout, setTimeout } from "node:timers";
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import { v4 as uuid } from "uuid";
import { quoted } from "../shared/connection.ts";

/** Any number of calls may be under way at once: they share one callback queue. */
export class FibonacciRpcClient {
  readonly #channel: ConfirmChannel;
  readonly #callbackQueue: string;
  /** Who waits for which answer, by correlation id. */
  readonly #waiting = new Map<string, { resolve(answer: bigint): void; reject(reason: Error): void }>();

  private constructor(channel: ConfirmChannel, callbackQueue: string) {
    this.#channel = channel;
    this.#callbackQueue = callbackQueue;
  }

  /**
   * Makes a client with a callback queue of its own, which goes when the connection does.
   *
   * @param channel the channel for the requests and the answers
   */
  static async open(channel: ConfirmChannel): Promise<FibonacciRpcClient> {
    const { queue } = await channel.assertQueue("", { exclusive: true });
    const client = new FibonacciRpcClient(channel, queue);
    await channel.consume(queue, (response) => client.#onResponse(response), { noAck: true });
    channel.on("close", () => client.#failAll("the connection was lost"));
    channel.on("return", ({ properties }) => {
      client.#waiting.get(properties.correlationId)?.reject(
        new Error("there is no rpc_queue, so there is no server. Start one: npx tsx 06-rpc/server.ts"),
      );
    });
    return client;
  }

  /**
   * Asks the server for the n-th Fibonacci number.
   *
   * @param n a whole number from 0
   * @param timeout how long to wait for the answer, in seconds
   * @returns the number, exactly; rejects when the server refuses n, or does not answer in time
   */
  async call(n: number | bigint, timeout = 10): Promise<bigint> {
    const correlationId = uuid();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(correlationId, { resolve, reject });
        timer = setTimeout(
          () =>
            reject(new Error(`no answer within ${timeout} s. Is a server running? npx tsx 06-rpc/server.ts`)),
          timeout * 1000,
        );
        this.#channel.sendToQueue("rpc_queue", Buffer.from(String(n)), {
          replyTo: this.#callbackQueue,
          correlationId,
          mandatory: true, // No queue, no server: RabbitMQ returns the request, and the call fails at once.
          expiration: Math.ceil(timeout * 1000), // Nobody computes what nobody waits for.
        });
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(correlationId);
    }
  }

  /** How many calls are under way. */
  get underWay(): number {
    return this.#waiting.size;
  }

  #onResponse(response: ConsumeMessage | null): void {
    if (response === null) return this.#failAll("the callback queue was deleted");
    // An answer that nobody waits for, too late or not ours, is dropped.
    const call = this.#waiting.get(response.properties.correlationId);
    const text = response.content.toString();
    if (/^\d+$/.test(text)) call?.resolve(BigInt(text));
    else call?.reject(new Error(`the server answered ${quoted(text)}`));
  }

  #failAll(reason: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
  }
}
