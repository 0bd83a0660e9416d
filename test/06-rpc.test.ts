import { Buffer } from "node:buffer";
import { expect } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { AWAITING_REQUESTS, onChannel, onEveryRuntime } from "./lib/lesson-test.ts";

const FIB_300 = "222232244629420445529739893461909967206666939096499764990979600";

onEveryRuntime("06-rpc", (test) => {
  test("the client sends a request, the server replies", async ({ run }) => {
    const server = run("06-rpc/server.ts");
    await server.prints(AWAITING_REQUESTS);
    const client = run("06-rpc/client.ts");
    await client.exits(0);
    expect(client.stdout).toEqual(["[x] Requesting fib(30)", "[.] Got 832040"]);
    expect(await server.stop()).toBe(0);
    expect(server.stdout).toEqual([AWAITING_REQUESTS, "[.] fib(30)"]);
    expect([...client.stderr, ...server.stderr]).toEqual([]);
  });

  test("the replies are exact, and printed in the order of the requests", async ({ run }) => {
    await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
    const client = run("06-rpc/client.ts", "0", "1", "79", "300");
    await client.exits(0);
    expect(client.stdout.slice(4)).toEqual([
      "[.] Got 0",
      "[.] Got 1",
      "[.] Got 14472334024676221",
      `[.] Got ${FIB_300}`,
    ]);
  });

  test("a request waits until the server is back", async ({ run }) => {
    const first = run("06-rpc/server.ts");
    await first.prints(AWAITING_REQUESTS);
    expect(await first.stop()).toBe(0);
    const client = run("06-rpc/client.ts", "10");
    await client.prints("[x] Requesting fib(10)");
    run("06-rpc/server.ts");
    await client.prints("[.] Got 55");
  });

  test("many calls are outstanding at once", async ({ run, virtualHost }) => {
    const server = run("06-rpc/server.ts");
    await server.prints(AWAITING_REQUESTS);
    await onChannel(virtualHost, async (channel) => {
      const client = new FibonacciRpcClient(channel);
      const numbers = Array.from({ length: 200 }, (_, i) => i % 100);
      const replies = await Promise.all(numbers.map((n) => client.call(n)));
      expect(replies).toEqual(numbers.map((n) => fib(n)));
    });
    expect(await server.stop()).toBe(0); // Once it has ended, all its output has arrived.
    expect(server.stdout.filter((line) => line.startsWith("[.]"))).toHaveLength(200);
  });

  test("two servers share the requests: a busy one gets no other", async ({ run }) => {
    const servers = [run("06-rpc/server.ts"), run("06-rpc/server.ts")];
    for (const server of servers) await server.prints(AWAITING_REQUESTS);
    const client = run("06-rpc/client.ts", "99999", "99999");
    await client.exits(0);
    for (const server of servers) {
      expect(await server.stop()).toBe(0);
      expect(server.stdout).toEqual([AWAITING_REQUESTS, "[.] fib(99999)"]);
    }
  });

  test("the server replies to a client with direct reply-to, such as today's official one", async ({ run, virtualHost }) => {
    await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
    await onChannel(virtualHost, async (channel) => {
      const replyTo = "amq.rabbitmq.reply-to"; // https://www.rabbitmq.com/docs/direct-reply-to
      const reply = new Promise((resolve) => {
        channel.consume(replyTo, (message) => resolve(message?.content.toString()), {
          noAck: true,
        });
      });
      channel.sendToQueue("rpc_queue", Buffer.from("30"), {
        replyTo,
        correlationId: "1",
      });
      expect(await reply).toBe("832040");
    });
  });

  test("without rpc_queue, the client fails at once", async ({ run }) => {
    const client = run("06-rpc/client.ts", "30", "--timeout", "60");
    await client.exits(1);
    expect(client.stderr).toEqual([
      "[!] fib(30): rpc_queue does not exist, so no server is running. Start one: npx tsx 06-rpc/server.ts",
    ]);
  });
});

/** The n-th Fibonacci number, by another algorithm than the server's. */
function fib(n: number): bigint {
  if (n < 2) return BigInt(n);
  const half = fib(n >> 1);
  const before = fib((n >> 1) - 1);
  return n % 2 === 0 ? half * (half + 2n * before) : (half + before) ** 2n + half ** 2n;
}
