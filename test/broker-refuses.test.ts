/** What RabbitMQ refuses, drops or takes away: said, counted, and never printed as sent. */
import { Buffer } from "node:buffer";
import { expect, inject } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { callManagement } from "../scripts/lib/broker-to-use.ts";
import {
  AWAITING_REQUESTS,
  messagesOn,
  onChannel,
  onEveryRuntime,
  QUORUM,
  WAITING_FOR_MESSAGES,
} from "./lib/lesson-test.ts";

/** Sets a policy for the queues of a virtual host. https://www.rabbitmq.com/docs/policies */
function setPolicy(virtualHost: string, definition: Record<string, unknown>) {
  const path = `policies${new URL(virtualHost).pathname}/test`;
  const policy = { pattern: ".*", "apply-to": "queues", definition };
  return callManagement(inject("broker"), "PUT", path, policy);
}

/** Limits the connections of a virtual host. https://www.rabbitmq.com/docs/vhosts#limits */
function limitConnections(virtualHost: string, value: number) {
  const path = `vhost-limits${new URL(virtualHost).pathname}/max-connections`;
  return callManagement(inject("broker"), "PUT", path, { value });
}

onEveryRuntime("what the broker refuses", (test) => {
  test("a full queue rejects: what was confirmed is printed and counted, exit code 1", async ({ run, virtualHost }) => {
    await setPolicy(virtualHost, { "max-length": 3, overflow: "reject-publish" });
    const newTask = run(
      "02-work-queues/new-task.ts",
      "one too many",
      "--count",
      "5000",
    );
    expect(await newTask.exitCode).toBe(1);
    const sent = newTask.stdout.length; // A quorum queue takes more before it refuses.
    expect(sent).toBeGreaterThanOrEqual(3);
    expect(sent).toBeLessThan(5000);
    expect(newTask.stderr).toEqual([
      expect.stringMatching(
        /^\[!\] RabbitMQ refused a message \(basic\.nack\)\. It had confirmed \d+ before\.$/,
      ),
      expect.stringMatching(
        /^\[!\] A queue is full and rejects more, was deleted, or /,
      ),
    ]);
    expect(newTask.stderr[0]).toContain(` ${sent} `);
    expect(await messagesOn(virtualHost, "task_queue")).toBeGreaterThanOrEqual(sent);
  });

  test("the queue is deleted while tasks are sent: no Sent for what is dropped, exit code 1", async ({ run, virtualHost }) => {
    const newTask = run("02-work-queues/new-task.ts", "t", "--count", "1000000");
    await newTask.prints("[x] Sent 't'");
    await onChannel(virtualHost, (channel) => channel.deleteQueue("task_queue"));
    expect(await newTask.exitCode).toBe(1);
    expect(newTask.stderr.join("\n")).toMatch(
      /\[!\] (RabbitMQ dropped a message, since there is no queue 'task_queue' any more|RabbitMQ refused a message|amqp:.* failed: INTERNAL_ERROR)/,
    );
  });

  test("a limit of connections: whoever comes is told, whoever has run waits", async ({ run, virtualHost }) => {
    const receive = run("01-hello/receive.ts");
    await receive.prints(WAITING_FOR_MESSAGES);
    await limitConnections(virtualHost, 0);
    const send = run("01-hello/send.ts");
    expect(await send.exitCode).toBe(1);
    expect(send.stderr[0]).toMatch(
      /refused the virtual host: .* or has as many connections as it may have\.$/,
    );

    await expect.poll(async () => {
      const all = await callManagement(inject("broker"), "GET", "connections");
      const vhost = new URL(virtualHost).pathname.slice(1);
      const ours = Array.isArray(all) ? all.filter((one) => one.vhost === vhost) : [];
      for (const { name } of ours) {
        const path = `connections/${encodeURIComponent(name)}`;
        await callManagement(inject("broker"), "DELETE", path).catch(() => {});
      }
      return receive.stderr.length;
    }, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(receive.stderr[0]).toMatch(
      /^\[!\] Lost .*Reconnecting/,
    );
    await limitConnections(virtualHost, -1);
    await receive.warns(/^\[!\] Back: /);
    expect(await receive.stop()).toBe(0);
  });

  test("a request that is refused fails at once, not at its timeout", async ({ virtualHost }) => {
    await onChannel(virtualHost, async (channel) => {
      await setPolicy(virtualHost, { "max-length": 1, overflow: "reject-publish" });
      await channel.assertQueue("rpc_queue", QUORUM);
      for (let i = 0; i < 200; i++) channel.sendToQueue("rpc_queue", Buffer.from("1"));
      await channel.waitForConfirms().catch(() => {}); // Full now, whichever it took.
      const client = await FibonacciRpcClient.open(channel);
      await expect(client.call(1, 60)).rejects.toThrow(/refused the request/);
    });
  });

  test("a server at work still hears: a signal, and so a heartbeat, gets through", async ({ run, virtualHost }) => {
    const server = run("06-rpc/server.ts", "--prefetch", "50");
    await server.prints(AWAITING_REQUESTS);
    await onChannel(virtualHost, async (channel) => {
      for (let i = 0; i < 50; i++) {
        channel.sendToQueue("rpc_queue", Buffer.from("100000"));
      }
      await channel.waitForConfirms();
    });
    await server.prints("[.] fib(100000)", 50); // All of them are being computed.
    expect(await server.stop()).toBe(0);
    // Had it heard only after its work, no request would have gone back.
    await expect.poll(() => messagesOn(virtualHost, "rpc_queue")).toBeGreaterThan(0);
  });
});
