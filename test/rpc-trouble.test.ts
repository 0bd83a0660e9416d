/** RPC with a missing server or client, and with invalid requests and replies. */
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

/** Invalid requests. The server replies with an error, if they have a reply_to. */
const invalidRequests: [what: string, body: Buffer][] = [
  ["not a number", Buffer.from("abc")],
  ["not an integer", Buffer.from("1.5")],
  ["negative", Buffer.from("-1")],
  ["too large", Buffer.from("100001")],
  ["absurdly large", Buffer.from("9".repeat(400))],
  ["empty", Buffer.alloc(0)],
  ["megabytes long", Buffer.alloc(3_000_000, "7")],
  ["not valid UTF-8", Buffer.from([0xff, 0xfe])],
];

onEveryRuntime("RPC trouble", (test) => {
  test("no server starts: the call ends at its timeout, and its request expires", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    const client = run("06-rpc/client.ts", "30", "--timeout", "1.5");
    await client.exits(1);
    expect(client.stdout).toEqual(["[x] Requesting fib(30)"]);
    expect(client.stderr).toEqual([
      "[!] fib(30): no reply within 1.5 s. Is a server running? Start one: npx tsx 06-rpc/server.ts",
    ]);
    for await (const _ of setInterval(50)) {
      if (await messagesOn(virtualHost, "rpc_queue") === 0) break;
    }
  });

  test("the server dies with a request: another one replies, and the client notices nothing", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, async (channel) => {
      const { request } = await takeRequest(channel);
      const client = run("06-rpc/client.ts", "12");
      await request; // No reply: the connection closes with the request unacknowledged.
      run("06-rpc/server.ts");
      return { client };
    }).then(async ({ client }) => {
      await client.exits(0);
      expect(client.stdout).toEqual(["[x] Requesting fib(12)", "[.] Got 144"]);
      expect(client.stderr).toEqual([]);
    });
  });

  test("the client is gone before the reply: the server continues", async ({ run, virtualHost }) => {
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
    await client.exits(0);
    expect(server.stderr).toEqual([]);
  });

  test("replies with an unknown correlation id, or none, are ignored", async ({ run, virtualHost }) => {
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
      await client.exits(0);
      expect(client.stdout).toEqual(["[x] Requesting fib(13)", "[.] Got 233"]);
    });
  });

  test("a reply that is not a number is reported as an error", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, async (server) => {
      const { request } = await takeRequest(server);
      const client = run("06-rpc/client.ts", "13");
      const { properties } = await request;
      const { correlationId } = properties;
      server.sendToQueue(properties.replyTo, Buffer.from("\x1b[31mno"), {
        correlationId,
      });
      await client.exits(1);
      expect(client.stderr).toEqual([
        expect.stringMatching(/^\[!\] fib\(13\): the server replied '\\x1b\[31mno'$/i),
      ]);
    });
  });

  test("one of several calls fails: the others succeed", async ({ run }) => {
    await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
    const client = run("06-rpc/client.ts", "10", "100001", "20");
    await client.exits(1);
    expect(client.stdout.slice(3)).toEqual(["[.] Got 55", "[.] Got 6765"]);
    expect(client.stderr).toEqual([
      "[!] fib(100001): the server replied 'error: n must be a whole number from 0 to 100000'",
    ]);
  });

  test("two clients never receive each other's replies", async ({ run, virtualHost }) => {
    await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
    await onChannel(virtualHost, async (channel) => {
      const clients = [
        await FibonacciRpcClient.open(channel),
        await FibonacciRpcClient.open(channel),
      ];
      const replies = await Promise.all(
        clients.map((client, i) =>
          Promise.all(Array.from({ length: 50 }, () => client.call(10 + i)))
        ),
      );
      expect(replies).toEqual([Array(50).fill(55n), Array(50).fill(89n)]);
    });
  });

  test("invalid requests get an error and are acknowledged, and the next valid one gets its reply", async ({ run, virtualHost }) => {
    const server = run("06-rpc/server.ts");
    await server.prints(AWAITING_REQUESTS);
    await onChannel(virtualHost, async (channel) => {
      const { queue: replyTo } = await channel.assertQueue("", { exclusive: true });
      const replies: string[] = [];
      const all = new Promise<void>((resolve) => {
        channel.consume(replyTo, (reply) => {
          replies.push(`${reply?.properties.correlationId}: ${reply?.content}`);
          if (replies.length === 2 * invalidRequests.length) resolve();
        }, { noAck: true });
      });
      for (const [what, body] of invalidRequests) {
        request(channel, body, { replyTo, correlationId: what });
        request(channel, body, { replyTo });
        request(channel, body, { correlationId: what });
        request(channel, body, {});
      }
      await all;
      expect(replies).toEqual(invalidRequests.flatMap(([what]) => [
        `${what}: error: n must be a whole number from 0 to 100000`,
        "undefined: error: n must be a whole number from 0 to 100000",
      ]));
    });
    await server.warns(/^\[!\] Invalid request: /, 4 * invalidRequests.length);
    const client = run("06-rpc/client.ts");
    await client.exits(0);
    expect(client.stdout).toEqual(["[x] Requesting fib(30)", "[.] Got 832040"]);
    expect(await server.stop()).toBe(0);
    expect(await messagesOn(virtualHost, "rpc_queue")).toBe(0);
    expect(
      server.stderr.every((line) =>
        /^\[!\] Invalid request: ['"].{0,70}['"]$/.test(line)
      ),
    )
      .toBe(true);
  });
});

/** Publishes a request with any content and properties. */
function request(
  channel: ConfirmChannel,
  body: Buffer,
  options: Options.Publish,
): void {
  channel.sendToQueue("rpc_queue", body, options);
}

/** Acts as a server: declares the queue and takes the first request, without acknowledging it. */
async function takeRequest(
  channel: ConfirmChannel,
): Promise<{ request: Promise<ConsumeMessage> }> {
  await channel.assertQueue("rpc_queue", QUORUM);
  let take: (request: ConsumeMessage) => void;
  const request = new Promise<ConsumeMessage>((resolve) => take = resolve);
  await channel.consume("rpc_queue", (message) => message && take(message));
  return { request };
}
