/** RPC when the server, the client, the request or the answer is not as it should be. */
import { Buffer } from "node:buffer";
import { setInterval } from "node:timers/promises";
import type { ConfirmChannel, ConsumeMessage, Options } from "amqplib";
import { expect } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import {
  AWAITING_REQUESTS,
  messagesOn,
  onChannel,
  onEveryRuntime,
  QUORUM,
} from "./lib/lesson-test.ts";

/** Requests that are none. Those that say where the answer goes get one, and it says what is wrong. */
const badRequests: [what: string, body: Buffer][] = [
  ["no number", Buffer.from("abc")],
  ["no integer", Buffer.from("1.5")],
  ["negative", Buffer.from("-1")],
  ["too large", Buffer.from("100001")],
  ["absurdly large", Buffer.from("9".repeat(400))],
  ["empty", Buffer.alloc(0)],
  ["megabytes long", Buffer.alloc(3_000_000, "7")],
  ["no UTF-8", Buffer.from([0xff, 0xfe])],
];

onEveryRuntime("RPC trouble", (test) => {
  test("no server comes: the call ends at its timeout, and its request does not linger", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    const client = run("06-rpc/client.ts", "30", "--timeout", "1.5");
    expect(await client.exitCode).toBe(1);
    expect(client.stdout).toEqual(["[x] Requesting fib(30)"]);
    expect(client.stderr).toEqual([
      "[!] fib(30): no answer within 1.5 s. Is a server running? npx tsx 06-rpc/server.ts",
    ]);
    for await (const _ of setInterval(50)) {
      if (await messagesOn(virtualHost, "rpc_queue") === 0) break;
    }
  });

  test("the server dies with the request in hand: another answers, the client notices nothing", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, async (dying) => {
      const { request } = await takeRequest(dying);
      const client = run("06-rpc/client.ts", "12");
      await request; // And never answer: the connection ends here, the request unacknowledged.
      run("06-rpc/server.ts");
      return { client };
    }).then(async ({ client }) => {
      expect(await client.exitCode).toBe(0);
      expect(client.stdout).toEqual(["[x] Requesting fib(12)", "[.] Got 144"]);
      expect(client.stderr).toEqual([]);
    });
  });

  test("the client is gone before the answer: the server carries on", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, async (channel) => {
      await channel.assertQueue("rpc_queue", QUORUM);
      request(channel, Buffer.from("10"), {
        replyTo: "amq.gen-nobody-has-this",
        correlationId: "1",
      });
      await channel.waitForConfirms();
    });
    const server = run("06-rpc/server.ts");
    await server.prints("[.] fib(10)");
    const client = run("06-rpc/client.ts", "11");
    expect(await client.exitCode).toBe(0);
    expect(server.stderr).toEqual([]);
  });

  test("answers with a foreign correlation id, or none, are ignored", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, async (server) => {
      const { request } = await takeRequest(server);
      const client = run("06-rpc/client.ts", "13");
      const { properties } = await request;
      server.sendToQueue(properties.replyTo, Buffer.from("1"));
      server.sendToQueue(properties.replyTo, Buffer.from("2"), {
        correlationId: "not-yours",
      });
      server.sendToQueue(properties.replyTo, Buffer.from("233"), {
        correlationId: properties.correlationId,
      });
      expect(await client.exitCode).toBe(0);
      expect(client.stdout).toEqual(["[x] Requesting fib(13)", "[.] Got 233"]);
    });
  });

  test("an answer that is no number is shown as the error it is", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, async (server) => {
      const { request } = await takeRequest(server);
      const client = run("06-rpc/client.ts", "13");
      const { properties } = await request;
      const { correlationId } = properties;
      server.sendToQueue(properties.replyTo, Buffer.from("\x1b[31mno"), {
        correlationId,
      });
      expect(await client.exitCode).toBe(1);
      expect(client.stderr).toEqual([
        expect.stringMatching(/^\[!\] fib\(13\): the server answered '\\x1b\[31mno'$/i),
      ]);
    });
  });

  test("one call of several fails: the others are answered all the same", async ({ run }) => {
    await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
    const client = run("06-rpc/client.ts", "10", "100001", "20");
    expect(await client.exitCode).toBe(1);
    expect(client.stdout.slice(3)).toEqual(["[.] Got 55", "[.] Got 6765"]);
    expect(client.stderr).toEqual([
      "[!] fib(100001): the server answered 'error: n must be a whole number from 0 to 100000'",
    ]);
  });

  test("two clients at once never see each other's answers", async ({ run, virtualHost }) => {
    await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
    await onChannel(virtualHost, async (channel) => {
      const clients = [
        await FibonacciRpcClient.open(channel),
        await FibonacciRpcClient.open(channel),
      ];
      const answers = await Promise.all(
        clients.map((client, i) =>
          Promise.all(Array.from({ length: 50 }, () => client.call(10 + i)))
        ),
      );
      expect(answers).toEqual([Array(50).fill(55n), Array(50).fill(89n)]);
    });
  });

  test("bad requests are refused, never kept, and the next good one is answered", async ({ run, virtualHost }) => {
    const server = run("06-rpc/server.ts");
    await server.prints(AWAITING_REQUESTS);
    await onChannel(virtualHost, async (channel) => {
      const { queue: replyTo } = await channel.assertQueue("", { exclusive: true });
      const answers: string[] = [];
      const all = new Promise<void>((resolve) => {
        channel.consume(replyTo, (answer) => {
          answers.push(`${answer?.properties.correlationId}: ${answer?.content}`);
          if (answers.length === 2 * badRequests.length) resolve();
        }, { noAck: true });
      });
      for (const [what, body] of badRequests) {
        request(channel, body, { replyTo, correlationId: what });
        request(channel, body, { replyTo });
        request(channel, body, { correlationId: what });
        request(channel, body, {});
      }
      await all;
      expect(answers).toEqual(badRequests.flatMap(([what]) => [
        `${what}: error: n must be a whole number from 0 to 100000`,
        "undefined: error: n must be a whole number from 0 to 100000",
      ]));
    });
    await server.warns(/^\[!\] Refused /, 4 * badRequests.length);
    const client = run("06-rpc/client.ts");
    expect(await client.exitCode).toBe(0);
    expect(client.stdout).toEqual(["[x] Requesting fib(30)", "[.] Got 832040"]);
    expect(await server.stop()).toBe(0);
    expect(await messagesOn(virtualHost, "rpc_queue")).toBe(0);
    expect(server.stderr.every((line) => /^\[!\] Refused ['"].{0,70}['"]$/.test(line)))
      .toBe(true);
  });
});

/** Publishes a request as no client of ours would. */
function request(
  channel: ConfirmChannel,
  body: Buffer,
  options: Options.Publish,
): void {
  channel.sendToQueue("rpc_queue", body, options);
}

/** Stands in for a server: declares the queue and takes the first request, which it does not acknowledge. */
async function takeRequest(
  channel: ConfirmChannel,
): Promise<{ request: Promise<ConsumeMessage> }> {
  await channel.assertQueue("rpc_queue", QUORUM);
  let take: (request: ConsumeMessage) => void;
  const request = new Promise<ConsumeMessage>((resolve) => take = resolve);
  await channel.consume("rpc_queue", (message) => message && take(message));
  return { request };
}
