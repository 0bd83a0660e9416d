/** The broker stops and comes back in every possible way, under every consumer; or it does not come back. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { createVirtualHost } from "../scripts/lib/broker-to-use.ts";
import { callManagement } from "../scripts/lib/management.ts";
import { type Program, runScript } from "../scripts/lib/program.ts";
import { closeAll, messagesIn, onChannel, QUORUM, vhostOf } from "./lib/broker.ts";
import { READY, survive } from "./lib/consumers.ts";
import { fails, kill, withOwnNode } from "./lib/lesson-test.ts";
import { quickRuntime } from "./lib/runtimes.ts";

const LOST = /^\[!\] Lost amqp:\/\/\S+\/\S+: .+\. Reconnecting \.\.\.$/;
const RECONNECTED = /^\[!\] Reconnected to amqp:\/\/\S+$/;
const NO_BROKER = /closed the connection|no AMQP 0-9-1 broker answers/;
const RECEIVE = "01-hello/receive.ts";
const NEW_TASK = "02-work-queues/new-task.ts";
const WORKER = "02-work-queues/worker.ts";
const CONSUMER = "test/scripts/consumer.ts";

/** The lines on standard error, but for a task that comes again if its acknowledgement is lost. */
const told = ({ stderr }: Program) =>
  stderr.filter((line) => !/Redelivered/.test(line));

/** Presses Ctrl-C, which must work soon. */
async function leaves(consumer: Program) {
  consumer.signal("SIGINT");
  await consumer.exits(0, 1.5);
}

withOwnNode("the broker is lost", {}, (test, node) => {
  test("every consumer reports each loss once, and works as before", async ({ run, virtualHost }) => {
    // Within 2 s, and a busy machine.
    const all = await survive(node(), virtualHost, ({ command }) => run(...command), 4);
    for (const { consumer, program } of all) {
      expect(await program.stop()).toBe(0);
      const times = consumer.exchange ? 4 : 5;
      const losses = Array(times).fill([LOST, RECONNECTED]).flat();
      expect(told(program)).toEqual(losses.map((line) => expect.stringMatching(line)));
    }
  });

  describe("while it is down", () => {
    // It is stopped once for all of these tests, under programs that they share.
    let url = "";
    const programs: Program[] = [];
    const run = (script: string, ...args: string[]) => {
      const env = { AMQP_URL: url };
      const program = runScript(quickRuntime, script, args, { env });
      programs.push(program);
      return program;
    };
    let leaving: Program;
    let staying: Program;
    let client: Program;
    beforeAll(async () => {
      url = await createVirtualHost({ ...node(), prefix: "by-example-" });
      leaving = run(RECEIVE);
      staying = run(RECEIVE);
      await onChannel(url, (channel) => channel.assertQueue("rpc_queue", QUORUM));
      client = run("06-rpc/client.ts", "1", "--timeout", "60");
      await client.prints("[x] Requesting fib(1)");
      for (const consumer of [leaving, staying]) await consumer.prints(READY);
      await node().pause();
    });
    afterAll(() => Promise.all(programs.map(kill)));

    test("a client ends with one line", async () => {
      const reason =
        /^\[!\] Lost amqp:\S+: .*\. Run it again\. In a cluster, most nodes must be/;
      await fails(client, reason);
    });

    test("Ctrl-C ends a consumer", async () => {
      await leaving.warns(LOST);
      await leaves(leaving);
    });

    test("a consumer reports another server on its port once, and reconnects afterwards", async () => {
      const other = createServer((socket) =>
        socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")
      );
      await once(other.listen(node().port, "127.0.0.1"), "listening");
      await staying.warns(NO_BROKER).finally(() => {
        other.close();
        return node().start();
      });
      await staying.warns(RECONNECTED);
      expect(staying.stderr.filter((line) => NO_BROKER.test(line))).toHaveLength(1);
    });
  });

  test("a client's callback queue is deleted: one line", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    const client = run("06-rpc/client.ts", "7", "--timeout", "60");
    await expect.poll(() => messagesIn(virtualHost, "rpc_queue")).toBe(1);
    const request = await onChannel(virtualHost, (channel) => channel.get("rpc_queue"));
    const replyTo = String(request && request.properties.replyTo);
    await node().control("delete_queue", "--vhost", vhostOf(virtualHost), replyTo);
    const line = "[!] fib(7): the channel was closed, or the callback queue deleted";
    await fails(client, line);
  });

  test("an acknowledgement on a channel that is gone: one line for each task", async ({ run, consume, virtualHost }) => {
    const task = "a task..............."; // Closing the connection takes some seconds.
    const worker = await consume(WORKER, "--prefetch", "9");
    await run(NEW_TASK, task, "--count", "5").exits(0);
    await worker.prints(`[x] Received '${task}'`, 5);
    await closeAll(node(), virtualHost);
    await worker.prints("[x] Done", 10, 90); // Each task twice.
    const lines = told(worker);
    expect(lines[0]).toMatch(LOST);
    const late = "[!] Not acknowledged: RabbitMQ redelivers the task";
    expect(lines.slice(1).filter((line) => !RECONNECTED.test(line))).toEqual(
      Array(5).fill(late),
    );
    await expect.poll(() => messagesIn(virtualHost, "task_queue")).toBe(0);
    expect(await worker.stop()).toBe(0);
  });

  test("a memory alarm: one line, then the producer waits, and one line when it is over", async ({ run }) => {
    await node().control("set_vm_memory_high_watermark", "0");
    const waiting = run("01-hello/send.ts");
    const interrupted = run("01-hello/send.ts");
    const line = "[!] The broker does not accept messages: low on memory. Waiting ...";
    try {
      for (const producer of [waiting, interrupted]) await producer.warns(line);
      expect(await interrupted.stop()).toBe(130);
    } finally {
      await node().control("set_vm_memory_high_watermark", "0.6");
    }
    await waiting.exits(0);
    expect(waiting.stderr).toEqual([line, "[!] The broker accepts messages again."]);
  });

  test("a frozen broker is noticed, and Ctrl-C does not wait for it", async ({ consume, runWith, virtualHost }) => {
    const worker = await consume(WORKER);
    const AMQP_URL = `${virtualHost}?heartbeat=1`; // Instead of 10 s.
    const receive = runWith({ env: { AMQP_URL } }, RECEIVE);
    await receive.prints(READY);
    node().freeze();
    try {
      await leaves(worker);
      await receive.warns(/^\[!\] Lost .*: Heartbeat timeout\. Reconnecting/);
      await receive.warns(/no AMQP 0-9-1 broker answers there/);
    } finally {
      node().unfreeze(); // Before the virtual host is deleted.
    }
    await receive.warns(RECONNECTED);
  });

  test("a set-up that never ends is called again", async ({ run, virtualHost }) => {
    const hangs = run(CONSUMER, "hang in the set-up");
    await hangs.prints("hanging");
    await closeAll(node(), virtualHost);
    await hangs.prints(READY);
    await hangs.warns(RECONNECTED);
  });

  test("a set-up that is cancelled midway is called again", async ({ consume }) => {
    const twice = await consume(CONSUMER, "consume twice");
    await twice.warns(RECONNECTED);
  });

  test("a bug that shows only after a reconnect: its stack trace, exit code 1", async ({ consume, virtualHost }) => {
    const throws = await consume(CONSUMER, "throw after a reconnect");
    await closeAll(node(), virtualHost);
    await throws.exits(1);
    expect(throws.stderr.join("\n")).toMatch(/RangeError: a bug[^]*consumer\.ts/);
  });

  describe("meanwhile, something has changed", () => {
    /** Waits until a consumer has ended with the reason in its last line. */
    async function ends(consumer: Program, reason: RegExp) {
      await consumer.exits(1, 20);
      expect(consumer.stderr.at(-1)).toMatch(reason);
      expect(consumer.stderr.filter((line) => /^ +at /.test(line))).toEqual([]);
    }

    test("the password: the consumer ends and says so", async ({ runWith, virtualHost }) => {
      const vhost = vhostOf(virtualHost);
      const setPassword = (password: string) =>
        callManagement(node(), "PUT", `users/${vhost}`, { password, tags: "" });
      const everything = { configure: ".*", write: ".*", read: ".*" };
      await setPassword("secret");
      await callManagement(node(), "PUT", `permissions/${vhost}/${vhost}`, everything);
      const AMQP_URL = virtualHost.replace("guest:guest", `${vhost}:secret`);
      const receive = runWith({ env: { AMQP_URL } }, RECEIVE);
      await receive.prints(READY);
      await setPassword("another");
      await closeAll(node(), virtualHost);
      await ends(receive, /^\[!\] amqp:\/\/\S+:\*\*\*@\S+: wrong user or password/);
    });

    test("the settings of the queue: the consumer ends and says so", async ({ consume, virtualHost }) => {
      const worker = await consume(WORKER);
      worker.signal("SIGSTOP"); // It is away while its queue is replaced.
      await closeAll(node(), virtualHost);
      await onChannel(virtualHost, async (channel) => {
        await channel.deleteQueue("task_queue");
        await channel.assertQueue("task_queue", { durable: true, maxLength: 5 });
      });
      worker.signal("SIGCONT");
      const differ =
        /^\[!\] PRECONDITION_FAILED .* npx tsx scripts\/delete\.ts queue 'task_queue'$/;
      await ends(worker, differ);
    });

    test("the virtual host is gone: the consumer ends and says so", async ({ consume, virtualHost }) => {
      const receive = await consume(RECEIVE);
      receive.signal("SIGSTOP"); // It is away while RabbitMQ deletes one thing after another.
      await callManagement(node(), "DELETE", `vhosts/${vhostOf(virtualHost)}`);
      receive.signal("SIGCONT");
      await ends(receive, /^\[!\] amqp:\S+: refused the virtual host/);
    });
  });

  test("a reply makes the broker close the connection: the other requests get their replies", async ({ run, consume, virtualHost }) => {
    const server = await consume("06-rpc/server.ts", "--prefetch", "20");
    const replies = new Set<string>();
    await onChannel(virtualHost, async (channel) => {
      const { queue } = await channel.assertQueue("", { exclusive: true });
      await channel.consume(queue, (reply) => {
        replies.add(reply?.properties.correlationId);
      }, { noAck: true });
      // Made by another broker: RabbitMQ 3.10 and 4.0 fail to decode it.
      const foreign = "amq.rabbitmq.reply-to." +
        "g1h2AA5yZXBseUA3NjA5ODcyNAAACEMAAAAAawddTg==.pPao3+qOVryKi0/6wIZ+kQ==";
      for (let i = 0; i < 300; i++) {
        const options = { replyTo: i === 100 ? foreign : queue, correlationId: `${i}` };
        channel.sendToQueue("rpc_queue", Buffer.from("9"), options);
      }
      await expect.poll(() => replies.size, { timeout: 20_000 }).toBe(299);
    });
    await run("06-rpc/client.ts").exits(0);
    expect(server.stderr.filter((line) => LOST.test(line)).length).toBeLessThan(3);
    expect(await server.stop()).toBe(0);
    expect(await messagesIn(virtualHost, "rpc_queue")).toBe(0);
  });
});
