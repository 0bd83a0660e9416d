import { Buffer } from "node:buffer";
import { expect } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { onChannel } from "./lib/broker.ts";
import { count } from "./lib/consumers.ts";
import { AWAITING_REQUESTS, onEveryRuntime } from "./lib/lesson-test.ts";

const [FIB_79, FIB_300] = [
  "14472334024676221",
  "222232244629420445529739893461909967206666939096499764990979600",
];

onEveryRuntime("06-rpc", (test) => {
  test("the server replies, exactly; the client prints the replies in its order", async ({ run }) => {
    const server = run("06-rpc/server.ts");
    await server.prints(AWAITING_REQUESTS);
    const client = run("06-rpc/client.ts");
    await client.exits(0);
    expect(client.stdout).toEqual(["[x] Requesting fib(30)", "[.] Got 832040"]);
    const several = run("06-rpc/client.ts", "0", "1", "79", "300");
    await several.exits(0);
    const replies = ["0", "1", FIB_79, FIB_300].map((reply) => `[.] Got ${reply}`);
    expect(several.stdout.slice(4)).toEqual(replies);
    expect(await server.stop()).toBe(0);
    expect(server.stdout.slice(0, 2)).toEqual([AWAITING_REQUESTS, "[.] fib(30)"]);
    expect([client, several, server].flatMap(({ stderr }) => stderr)).toEqual([]);
  });

  test("a request waits until the server is back; without rpc_queue, it fails at once", async ({ run }) => {
    const none = run("06-rpc/client.ts", "30", "--timeout", "60");
    await none.exits(1);
    const why = "rpc_queue does not exist, so no server is running.";
    expect(none.stderr).toEqual([
      `[!] fib(30): ${why} Start one: npx tsx 06-rpc/server.ts`,
    ]);
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
      const calls = Array.from(
        { length: 200 },
        (_, i) => client.call(i % 2 ? 300 : 79),
      );
      const expected = calls.map((_, i) => BigInt(i % 2 ? FIB_300 : FIB_79));
      expect(await Promise.all(calls)).toEqual(expected);
    });
    expect(await server.stop()).toBe(0); // Once it has ended, all its output has arrived.
    expect(count(server, /^\[\.\]/)).toBe(200);
  });

  test("two servers share the requests: a busy one gets no other", async ({ run }) => {
    const servers = [run("06-rpc/server.ts"), run("06-rpc/server.ts")];
    for (const server of servers) await server.prints(AWAITING_REQUESTS);
    await run("06-rpc/client.ts", "9999", "9999").exits(0);
    for (const server of servers) {
      expect(await server.stop()).toBe(0);
      expect(server.stdout).toEqual([AWAITING_REQUESTS, "[.] fib(9999)"]);
    }
  });

  test("a client with direct reply-to, such as today's official one, gets its reply", async ({ run, virtualHost }) => {
    await run("06-rpc/server.ts").prints(AWAITING_REQUESTS);
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
});
