/** Lesson 6, the article's class: calls the server like a function of its own. */
import { Buffer } from "node:buffer";
import { clearTimeout, setTimeout } from "node:timers";
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import { v4 as uuid } from "uuid";
import { quoted } from "../shared/text.ts";
const SERVER = "npx tsx 06-rpc/server.ts";
type Call = { resolve(fib: bigint): void; reject(reason: Error): void };

/** Any number of calls may be outstanding at once: they share one callback queue. */
export class FibonacciRpcClient {
  #channel: ConfirmChannel;
  #callbackQueue = "";
  /** The calls that wait for an answer, by correlation id. */
  #calls = new Map<string, Call>();

  private constructor(channel: ConfirmChannel) {
    this.#channel = channel;
  }

  /** Opens a callback queue for the answers, which is deleted with its connection. */
  static async open(channel: ConfirmChannel): Promise<FibonacciRpcClient> {
    const client = new FibonacciRpcClient(channel);
    const { queue } = await channel.assertQueue("", { exclusive: true });
    client.#callbackQueue = queue;
    await channel.consume(queue, (answer) => client.#onAnswer(answer), { noAck: true });
    channel.on("close", () => client.#failAll("the channel was closed"));
    channel.on("return", ({ properties: { correlationId } }) => {
      const reason = "there is no rpc_queue, so there is no server. Start one: " +
        SERVER;
      client.#calls.get(correlationId)?.reject(new Error(reason));
    });
    return client;
  }

  /**
   * Asks the server for the n-th Fibonacci number.
   *
   * @param n a whole number from 0
   * @param timeout how long to wait for the answer, in seconds
   * @returns the number, exactly; rejects when there is no answer, or an error
   */
  async call(n: number | bigint, timeout = 10): Promise<bigint> {
    const correlationId = uuid();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#calls.set(correlationId, { resolve, reject });
        const late = `no answer within ${timeout} s. Is a server running? ${SERVER}`;
        timer = setTimeout(() => reject(new Error(late)), timeout * 1000);
        const options = {
          replyTo: this.#callbackQueue,
          correlationId,
          mandatory: true, // Without an rpc_queue, RabbitMQ returns the request.
          expiration: Math.ceil(timeout * 1000), // Not delivered later than that.
        };
        const request = Buffer.from(String(n));
        this.#channel.sendToQueue("rpc_queue", request, options, (refused) => {
          if (refused) reject(new Error("RabbitMQ refused the request (basic.nack)"));
        });
      });
    } finally {
      clearTimeout(timer);
      this.#calls.delete(correlationId);
    }
  }

  /** How many calls wait for an answer. */
  get outstanding(): number {
    return this.#calls.size;
  }

  #onAnswer(answer: ConsumeMessage | null): void {
    if (answer === null) return this.#failAll("the callback queue was deleted");
    // An answer that no call waits for, since it is late or foreign, is ignored.
    const call = this.#calls.get(answer.properties.correlationId);
    const text = answer.content.toString();
    if (/^\d+$/.test(text)) call?.resolve(BigInt(text));
    else call?.reject(new Error(`the server answered ${quoted(text)}`));
  }

  #failAll(reason: string): void {
    for (const { reject } of this.#calls.values()) reject(new Error(reason));
  }
}
