/** What the broker rejects, and bugs: the script ends with one line, or with a stack trace. */
import { Buffer } from "node:buffer";
import { expect, inject } from "vitest";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { callManagement } from "../scripts/lib/broker-to-use.ts";
import {
  messagesIn,
  onChannel,
  onEveryRuntime,
  QUORUM,
  test,
  WAITING_FOR_MESSAGES,
  withOwnNode,
} from "./lib/lesson-test.ts";

/** Sets a policy for the queues of a virtual host. https://www.rabbitmq.com/docs/policies */
function setPolicy(virtualHost: string, definition: Record<string, unknown>) {
  const path = `policies${new URL(virtualHost).pathname}/test`;
  const policy = { pattern: ".*", "apply-to": "queues", definition };
  return callManagement(inject("broker"), "PUT", path, policy);
}

onEveryRuntime("what the broker rejects", (test) => {
  test("a full queue rejects a message: no other than the confirmed ones are printed", async ({ run, virtualHost }) => {
    await setPolicy(virtualHost, { "max-length": 5000, overflow: "reject-publish" });
    const newTask = run("02-work-queues/new-task.ts", "t", "--count", "20000");
    await newTask.exits(1);
    const sent = newTask.stdout.length;
    expect(sent).toBeGreaterThan(0);
    expect(newTask.stderr).toEqual([
      "[!] message nacked. A queue is full, was deleted, or has too few nodes running.",
    ]);
    expect(await messagesIn(virtualHost, "task_queue")).toBeGreaterThanOrEqual(sent);
  });

  for (const when of ["at once", "later", "a system error"]) {
    test(`a callback that throws (${when}): its stack trace, exit code 1`, async ({ run }) => {
      const consumer = run("test/scripts/consumer.ts", `throw ${when}`);
      await consumer.prints(WAITING_FOR_MESSAGES);
      await run("01-hello/send.ts").exits(0);
      if (when === "at once") await run("01-hello/send.ts").exits(0); // It has two consumers.
      await consumer.exits(1);
      const error = when === "a system error"
        ? "ENOENT: no such file"
        : "RangeError: a bug";
      expect(consumer.stderr.join("\n")).toMatch(
        new RegExp(`${error}[^]*consumer\\.ts`),
      );
      expect(consumer.stderr.join("\n")).not.toContain("[!]");
    });
  }
});

test("no permission", async ({ runWith, virtualHost }) => {
  const [broker, { pathname }] = [inject("broker"), new URL(virtualHost)];
  const user = pathname.slice(1);
  await callManagement(broker, "PUT", `users/${user}`, { password: "x", tags: "" });
  const none = { configure: "", write: "", read: "" };
  await callManagement(broker, "PUT", `permissions${pathname}/${user}`, none);
  const AMQP_URL = virtualHost.replace("guest:guest", `${user}:x`);
  const send = runWith({ env: { AMQP_URL } }, "01-hello/send.ts");
  await send.exits(1);
  expect(send.stderr).toEqual([
    expect.stringMatching(/^\[!\] ACCESS_REFUSED - .* refused for user/),
  ]);
  await callManagement(broker, "DELETE", `users/${user}`);
});

const settingsDiffer: [kind: string, name: string, ...scripts: string[]][] = [
  ["queue", "hello", "01-hello/send.ts", "01-hello/receive.ts"],
  ["queue", "task_queue", "02-work-queues/new-task.ts", "02-work-queues/worker.ts"],
  ["queue", "rpc_queue", "06-rpc/server.ts"],
  ["exchange", "logs", "03-pubsub/emit-log.ts", "03-pubsub/receive-logs.ts"],
];
for (const [kind, name, ...scripts] of settingsDiffer) {
  test(`the ${kind} ${name} exists with other settings: it says which, and how to delete it`, async ({ run, virtualHost }) => {
    await onChannel(virtualHost, async (channel) => {
      if (kind === "queue") {
        await channel.assertQueue(name, { durable: true, maxLength: 5 });
      } else await channel.assertExchange(name, "direct", { durable: false });
    });
    const deletion = `npx tsx scripts/delete.ts ${kind} '${name}'`;
    for (const script of scripts) {
      const program = run(script);
      await program.exits(1);
      expect(program.stdout).toEqual([]);
      expect(program.stderr).toEqual([
        expect.stringMatching(
          `^\\[!\\] PRECONDITION_FAILED - inequivalent arg '[\\w-]+' for ${kind} '${name}' in ` +
            `vhost .* but current is .*\\. To delete the existing one and all it holds: ${deletion}$`,
        ),
      ]);
    }
    await run("scripts/delete.ts", kind, name).exits(0);
    await run(scripts.at(-1) ?? "").prints(/^\[[*x]\] A?[Ww]aiting/);
  });
}

test("a key over 255 bytes, and a message that is too large", async ({ run }) => {
  const long = "é".repeat(128);
  for (
    const script of [
      "04-routing/emit-log.ts",
      "04-routing/receive-logs.ts",
      "05-topics/emit-log.ts",
      "05-topics/receive-logs.ts",
    ]
  ) {
    const program = run(script, long);
    await program.exits(1);
    expect(program.stderr).toEqual([
      expect.stringMatching(
        /^\[!\] Field 'routingKey' .* A routing key or binding key is limited to 255 bytes\.$/,
      ),
    ]);
    expect(program.stdout).toEqual([]);
  }
});

const mistakes: [what: string, line: RegExp][] = [
  [
    "acknowledge twice",
    /^\[!\] PRECONDITION_FAILED - unknown delivery tag 1\. It was acknowledged twice/,
  ],
  ["no exchange", /^\[!\] NOT_FOUND - no exchange 'lgos' in vhost/],
];
for (const [what, line] of mistakes) {
  test(`a mistake in the script (${what}) ends it, without another try`, async ({ run }) => {
    const consumer = run("test/scripts/consumer.ts", what);
    await consumer.prints(WAITING_FOR_MESSAGES);
    await run("01-hello/send.ts").exits(0);
    await consumer.exits(1);
    expect(consumer.stderr).toEqual([expect.stringMatching(line)]);
  });
}

test("a queue as the article declares it: if RabbitMQ refuses it, the script says so", async ({ run }) => {
  const consumer = run("test/scripts/consumer.ts", "transient queue");
  const isPermitted = await consumer.prints(WAITING_FOR_MESSAGES).then(
    () => true,
    () => false,
  );
  if (isPermitted) return expect(await consumer.stop()).toBe(0); // Before 4.3.
  await consumer.exits(1);
  expect(consumer.stderr).toEqual([
    expect.stringMatching(
      /^\[!\] INTERNAL_ERROR.* Declare the queue with durable: true\.$/,
    ),
  ]);
});

test("a rejected request fails at once, not at its timeout", async ({ virtualHost }) => {
  await onChannel(virtualHost, async (channel) => {
    await setPolicy(virtualHost, { "max-length": 1, overflow: "reject-publish" });
    await channel.assertQueue("rpc_queue", QUORUM);
    for (let i = 0; i < 200; i++) channel.sendToQueue("rpc_queue", Buffer.from("1"));
    await channel.waitForConfirms().catch(() => {}); // It is full now.
    const client = new FibonacciRpcClient(channel);
    await expect(client.call(1, 60)).rejects.toThrow(
      "request not confirmed: message nacked",
    );
  });
});

const erlangArguments =
  "-rabbit consumer_timeout 1000 -rabbit channel_tick_interval 1000";
withOwnNode("a task is not acknowledged in time", { erlangArguments }, (test) => {
  test("RabbitMQ takes it from the worker, which reports this and continues", async ({ run }) => {
    const task = `long${".".repeat(70)}`;
    const worker = run("02-work-queues/worker.ts");
    await worker.prints(WAITING_FOR_MESSAGES);
    await run("02-work-queues/new-task.ts", task).exits(0);
    // Before 4.3, RabbitMQ closes the channel; from 4.3 on, it cancels the consumer.
    await worker.warns(
      /^\[!\] Lost .*: (PRECONDITION_FAILED .* timed out|closed by this)/,
      1,
      45,
    );
    await worker.warns(/^\[!\] Reconnected to /);
    await worker.warns("[!] Redelivered: it was not done", 1, 45);
    expect(await worker.stop()).toBe(0);
  });
});
