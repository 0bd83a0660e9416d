/** RPC with a missing server, client or callback queue, and with invalid requests and replies. */
import { Buffer } from "node:buffer";
import { setInterval } from "node:timers/promises";
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import { describe, expect } from "vitest";
import { callManagement } from "../scripts/lib/broker-to-use.ts";
import {
  AWAITING_REQUESTS,
  messagesIn,
  onChannel,
  QUORUM,
  test,
  withOwnNode,
} from "./lib/lesson-test.ts";
import { proxyTo } from "./lib/proxy.ts";

/** Invalid requests. The server replies with an error, if they have a reply_to. */
const invalidRequests: [what: string, body: Buffer][] = [
  ["not a number", Buffer.from("abc")],
  ["negative", Buffer.from("-1")],
  ["too large", Buffer.from("100000")],
  ["empty", Buffer.alloc(0)],
  ["megabytes long", Buffer.alloc(3_000_000, "7")],
  ["not valid UTF-8", Buffer.from([0xff, 0xfe])],
];

describe("RPC trouble", () => {
  test("no server starts: the call ends at its timeout, and its request expires", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    const client = run("06-rpc/client.ts", "30", "--timeout", "1.5");
    await client.exits(1);
    expect(client.stdout).toEqual(["[x] Requesting fib(30)"]);
    expect(client.stderr).toEqual([
      "[!] fib(30): no reply within 1.5 s. Is a server running? Start one: npx tsx 06-rpc/server.ts",
    ]);
    for await (const _ of setInterval(50)) {
      if (await messagesIn(virtualHost, "rpc_queue") === 0) break;
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
      const replyTo = "amq.gen-nobody-has-this";
      channel.sendToQueue("rpc_queue", Buffer.from("10"), { replyTo });
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
    const client = run("06-rpc/client.ts", "10", "100000", "20");
    await client.exits(1);
    expect(client.stdout.slice(3)).toEqual(["[.] Got 55", "[.] Got 6765"]);
    expect(client.stderr).toEqual([
      "[!] fib(100000): the server replied 'error: n must be 0-99999'",
    ]);
  });

  test("invalid requests get an error and are acknowledged, and the next valid one gets its reply", async ({ run, virtualHost }) => {
    const server = run("06-rpc/server.ts");
    await server.prints(AWAITING_REQUESTS);
    const replies: string[] = [];
    await onChannel(virtualHost, async (channel) => {
      const { queue: replyTo } = await channel.assertQueue("", { exclusive: true });
      await channel.consume(replyTo, (reply) => {
        replies.push(`${reply?.properties.correlationId}: ${reply?.content}`);
      }, { noAck: true });
      for (const [what, body] of invalidRequests) {
        channel.sendToQueue("rpc_queue", body, { replyTo, correlationId: what });
        channel.sendToQueue("rpc_queue", body, { correlationId: what });
      }
      await expect.poll(() => replies).toEqual(
        invalidRequests.map(([what]) => `${what}: error: n must be 0-99999`),
      );
    });
    // Read as UTF-8, each of these bytes becomes three: the server cannot reply to them.
    const name = "x".repeat(100);
    const proxy = await proxyTo(virtualHost, (bytes) => {
      const at = bytes.indexOf(name);
      return at < 0 ? bytes : bytes.fill(0xff, at, at + name.length);
    });
    await onChannel(proxy, async (channel) => {
      channel.sendToQueue("rpc_queue", Buffer.from("1"), { replyTo: name });
      await channel.waitForConfirms();
    });
    await server.warns(/^\[!\] Cannot reply: .*routingKey/);
    await run("06-rpc/client.ts").exits(0);
    expect(await server.stop()).toBe(0);
    expect(await messagesIn(virtualHost, "rpc_queue")).toBe(0);
  });
});

withOwnNode("RPC trouble on a private node", {}, (test, node) => {
  test("the callback queue is deleted: one line", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    const client = run("06-rpc/client.ts", "7", "--timeout", "60");
    await client.prints("[x] Requesting fib(7)");
    const vhost = new URL(virtualHost).pathname.slice(1);
    let queue = "";
    await expect.poll(async () => {
      const all = await callManagement(node(), "GET", `queues/${vhost}?columns=name`);
      [queue = ""] = JSON.stringify(all).match(/amq\.gen[\w-]+/) ?? [];
      return queue;
    }, { timeout: 10_000 }).not.toBe("");
    await node().control("delete_queue", "--vhost", vhost, queue);
    await client.exits(1);
    expect(client.stderr).toEqual([
      expect.stringMatching(/^\[!\] Lost amqp:.*: the callback queue was deleted\. /),
    ]);
  });
});

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
