/** Messages that RabbitMQ rejects or drops: reported, counted, and never printed as sent. */
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

onEveryRuntime("what the broker rejects", (test) => {
  test("a full queue rejects messages: the confirmed ones are printed, into a slow pipe too, and counted, exit code 1", async ({ pipe, virtualHost }) => {
    await setPolicy(virtualHost, { "max-length": 5000, overflow: "reject-publish" });
    const newTask = pipe(
      "{ sleep 1; cat; }", // Meanwhile, the output fills the pipe.
      "02-work-queues/new-task.ts",
      "one too many",
      "--count",
      "20000",
    );
    await newTask.exits(1);
    const sent = newTask.stdout.length; // A quorum queue accepts a few more than its limit.
    expect(sent).toBeGreaterThanOrEqual(5000);
    expect(sent).toBeLessThan(20_000);
    expect(newTask.stderr).toEqual([
      expect.stringMatching(
        /^\[!\] RabbitMQ rejected a message \(basic\.nack\), after it had confirmed \d+\.$/,
      ),
      expect.stringMatching(
        /^\[!\] A queue is full and rejects messages, was deleted, or /,
      ),
    ]);
    // Others may be confirmed, and printed, before the script ends.
    const [confirmed] = /\d+/.exec(newTask.stderr[0] ?? "") ?? [];
    expect(sent).toBeGreaterThanOrEqual(Number(confirmed));
    expect(await messagesOn(virtualHost, "task_queue")).toBeGreaterThanOrEqual(sent);
  });

  test("the queue is deleted while tasks are sent: a dropped task is not printed as sent, exit code 1", async ({ run, virtualHost }) => {
    const newTask = run("02-work-queues/new-task.ts", "t", "--count", "1000000");
    await newTask.prints("[x] Sent 't'");
    await onChannel(virtualHost, (channel) => channel.deleteQueue("task_queue"));
    await newTask.exits(1);
    expect(newTask.stderr.join("\n")).toMatch(
      /\[!\] (RabbitMQ dropped a message, because the queue 'task_queue' no longer exists|RabbitMQ rejected a message|amqp:.* failed: INTERNAL_ERROR)/,
    );
  });

  test("a connection limit: a new script reports it, a running consumer waits", async ({ run, virtualHost }) => {
    const receive = run("01-hello/receive.ts");
    await receive.prints(WAITING_FOR_MESSAGES);
    await limitConnections(virtualHost, 0);
    const send = run("01-hello/send.ts");
    await send.exits(1);
    expect(send.stderr[0]).toMatch(
      /refused the virtual host: .* or it has reached its connection limit\.$/,
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
    await receive.warns(/^\[!\] Reconnected to /);
    expect(await receive.stop()).toBe(0);
  });

  test("a rejected request fails at once, not at its timeout", async ({ virtualHost }) => {
    await onChannel(virtualHost, async (channel) => {
      await setPolicy(virtualHost, { "max-length": 1, overflow: "reject-publish" });
      await channel.assertQueue("rpc_queue", QUORUM);
      for (let i = 0; i < 200; i++) channel.sendToQueue("rpc_queue", Buffer.from("1"));
      await channel.waitForConfirms().catch(() => {}); // It is full now.
      const client = await FibonacciRpcClient.open(channel);
      await expect(client.call(1, 60)).rejects.toThrow(
        /request not confirmed: message nacked/,
      );
    });
  });

  test("a busy server still reacts to a signal, so it can send heartbeats", async ({ run, virtualHost }) => {
    const server = run("06-rpc/server.ts", "--prefetch", "50");
    await server.prints(AWAITING_REQUESTS);
    await onChannel(virtualHost, async (channel) => {
      for (let i = 0; i < 50; i++) {
        channel.sendToQueue("rpc_queue", Buffer.from("100000"));
      }
      await channel.waitForConfirms();
    });
    await server.prints("[.] fib(100000)", 50); // It is computing all of them.
    expect(await server.stop()).toBe(0);
    // If it had reacted only after its work, no request would have been requeued.
    await expect.poll(() => messagesOn(virtualHost, "rpc_queue")).toBeGreaterThan(0);
  });
});
