import { Buffer } from "node:buffer";
import { expect } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { onChannel } from "./lib/broker.ts";
import { count } from "./lib/consumers.ts";
import { AWAITING_REQUESTS, fails, onEveryRuntime, test } from "./lib/lesson-test.ts";

const CLIENT = "06-rpc/client.ts";
const SERVER = "06-rpc/server.ts";
const FIB_79 = "14472334024676221";
const FIB_300 = "222232244629420445529739893461909967206666939096499764990979600";

onEveryRuntime("06-rpc", (test) => {
  test("the server replies, exactly; the client prints the replies in its order", async ({ consume, run }) => {
    const server = await consume(SERVER);
    const client = run(CLIENT);
    await client.exits(0);
    expect(client.stdout).toEqual(["[x] Requesting fib(30)", "[.] Got 832040"]);
    const several = run(CLIENT, "0", "1", "79", "300");
    await several.exits(0);
    const replies = ["0", "1", FIB_79, FIB_300].map((reply) => `[.] Got ${reply}`);
    expect(several.stdout.slice(4)).toEqual(replies);
    expect(await server.stop()).toBe(0);
    expect(server.stdout.slice(0, 2)).toEqual([AWAITING_REQUESTS, "[.] fib(30)"]);
    expect([client, several, server].flatMap(({ stderr }) => stderr)).toEqual([]);
  });
});

test("a request waits until a server is back", async ({ consume, run }) => {
  const first = await consume(SERVER);
  expect(await first.stop()).toBe(0);
  const client = run(CLIENT, "10", "--timeout", "60");
  await client.prints("[x] Requesting fib(10)");
  run(SERVER);
  await client.prints("[.] Got 55");
});

test("where no server has ever run, a request fails at once", async ({ run }) => {
  const why = "rpc_queue does not exist, so no server is running.";
  const line = `[!] fib(30): ${why} Start one: npx tsx 06-rpc/server.ts`;
  await fails(run(CLIENT, "30", "--timeout", "60"), line);
});

test("many calls are outstanding at once", async ({ consume, virtualHost }) => {
  const server = await consume(SERVER);
  await onChannel(virtualHost, async (channel) => {
    const client = new FibonacciRpcClient(channel);
    const numbers = Array.from({ length: 200 }, (_, i) => i % 2 ? 300 : 79);
    const replies = await Promise.all(numbers.map((n) => client.call(n)));
    expect(replies).toEqual(numbers.map((n) => BigInt(n === 300 ? FIB_300 : FIB_79)));
  });
  expect(await server.stop()).toBe(0); // Once it has ended, all its output has arrived.
  expect(count(server, /^\[\.\]/)).toBe(200);
});

test("two servers share the requests: a busy one gets no other", async ({ consume, run }) => {
  const servers = [await consume(SERVER), await consume(SERVER)];
  await run(CLIENT, "9999", "9999").exits(0);
  for (const server of servers) {
    expect(await server.stop()).toBe(0);
    expect(server.stdout).toEqual([AWAITING_REQUESTS, "[.] fib(9999)"]);
  }
});

test("a client with direct reply-to, such as today's official one, gets its reply", async ({ consume, virtualHost }) => {
  await consume(SERVER);
  await onChannel(virtualHost, async (channel) => {
    const replyTo = "amq.rabbitmq.reply-to"; // https://www.rabbitmq.com/docs/direct-reply-to
    const replies: string[] = [];
    await channel.consume(replyTo, (reply) => {
      replies.push(`${reply?.content}`);
    }, { noAck: true });
    const options = { replyTo, correlationId: "1" };
    channel.sendToQueue("rpc_queue", Buffer.from("30"), options);
    await expect.poll(() => replies).toEqual(["832040"]);
  });
});
