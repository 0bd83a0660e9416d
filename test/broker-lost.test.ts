import { Buffer } from "node:buffer";
/** The broker stops and comes back in every possible way, under every consumer; or it does not come back. */
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import type { Program } from "../scripts/lib/program.ts";
import { consumers, READY, works } from "./lib/consumers.ts";
import {
  AWAITING_REQUESTS,
  messagesIn,
  onChannel,
  QUORUM,
  WAITING_FOR_MESSAGES,
  withOwnNode,
} from "./lib/lesson-test.ts";

const LOST = /^\[!\] Lost amqp:\/\/\S+\/\S+: .+\. Reconnecting \.\.\.$/;
const RECONNECTED = /^\[!\] Reconnected to amqp:\/\/\S+$/;
/** The lines on standard error, but for a task that comes again if its acknowledgement is lost. */
const told = ({ stderr }: Program) =>
  stderr.filter((line) => !/Redelivered/.test(line));
const NO_BROKER = /closed the connection|no AMQP 0-9-1 broker answered/;

withOwnNode("the broker is lost", {}, (test, node) => {
  const vhostOf = (url: string) => new URL(url).pathname.slice(1);
  /** Closes all connections to a virtual host, as an operator does. */
  const closeConnections = (url: string) =>
    node().control("close_all_connections", "--vhost", vhostOf(url), "as a test");
  const deleteQueue = (url: string, queue: string) =>
    onChannel(url, (channel) => channel.deleteQueue(queue));
  /** Stops the node during some work, and starts it again. */
  async function without(stop: () => Promise<void>, meanwhile = async () => {}) {
    await stop();
    await meanwhile();
    await node().start();
  }

  test("every consumer reports each loss once, and works as before", async ({ run, virtualHost }) => {
    const started = consumers.map((consumer) => ({
      consumer,
      program: run(...consumer[0]),
    }));
    for (const { program } of started) await program.prints(READY);
    await sleep(2000); // A quorum queue younger than 2 s may not survive, and nothing reports its state.

    const losses: [affected: string, cause: () => Promise<unknown>][] = [
      ["", () => without(() => node().crash())],
      ["", () => without(() => node().pause())],
      ["", () => closeConnections(virtualHost)],
      ["hello", () => deleteQueue(virtualHost, "hello")],
      ["task_queue", () => deleteQueue(virtualHost, "task_queue")],
      ["rpc_queue", () => deleteQueue(virtualHost, "rpc_queue")],
    ];
    for (const [affected, cause] of losses) {
      const those = started.filter(({ consumer: [, to] }) =>
        !affected || to[1] === affected
      );
      const before = those.map(({ program }) => told(program).length);
      await cause();
      const returned = performance.now();
      for (const [i, { consumer, program }] of those.entries()) {
        await program.warns(RECONNECTED, (before[i] ?? 0) / 2 + 1, 60);
        expect(performance.now() - returned).toBeLessThan(4000); // 2 s, and a busy machine.
        expect(told(program).slice(before[i])).toEqual(
          [expect.stringMatching(LOST), expect.stringMatching(RECONNECTED)],
        );
        await works(consumer, program, virtualHost);
      }
    }
  });

  test("Ctrl-C works while the broker is down; tasks survive its restart; a waiting client reports its end", async ({ run, virtualHost }) => {
    const receive = run("01-hello/receive.ts");
    await receive.prints(WAITING_FOR_MESSAGES);
    await run("02-work-queues/new-task.ts", "kept").exits(0);
    await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    const client = run("06-rpc/client.ts", "1", "--timeout", "60");
    await client.prints("[x] Requesting fib(1)");
    await without(() => node().pause(), async () => {
      await receive.warns(LOST);
      const asked = performance.now();
      expect(await receive.stop()).toBe(0);
      expect(performance.now() - asked).toBeLessThan(1500);
      await client.exits(1);
      const line =
        /^\[!\] Lost amqp:\S+: .*\. Run it again\. In a cluster, most nodes must be/;
      expect(client.stderr).toEqual([expect.stringMatching(line)]);
    });
    await run("02-work-queues/worker.ts").prints("[x] Received 'kept'");
  });

  test("a late acknowledgement: one line a lost connection", async ({ run, virtualHost }) => {
    const worker = run("02-work-queues/worker.ts", "--prefetch", "9");
    await worker.prints(WAITING_FOR_MESSAGES);
    await run("02-work-queues/new-task.ts", "a task...", "--count", "5").exits(0);
    await worker.prints("[x] Received 'a task...'", 5);
    await closeConnections(virtualHost);
    await worker.prints("[x] Done", 10); // Each task twice.
    const lines = told(worker);
    expect(lines[0]).toMatch(LOST);
    expect(lines.slice(1).filter((line) => !RECONNECTED.test(line))).toEqual([
      "[!] Too late to acknowledge or reply: RabbitMQ will redeliver.",
    ]);
    await expect.poll(() => messagesIn(virtualHost, "task_queue")).toBe(0);
    expect(await worker.stop()).toBe(0);
  });

  test("a memory alarm: one line, then the producer waits, and one line when it is over", async ({ run }) => {
    onTestFinished(() => node().control("set_vm_memory_high_watermark", "0.6"));
    await node().control("set_vm_memory_high_watermark", "0");
    const producers = [run("03-pubsub/emit-log.ts"), run("03-pubsub/emit-log.ts")];
    const blocked =
      "[!] The broker does not accept messages: low on memory. Waiting ...";
    for (const producer of producers) await producer.warns(blocked);
    const [waiting, interrupted] = producers;
    expect(await interrupted?.stop()).toBe(130);
    await node().control("set_vm_memory_high_watermark", "0.6");
    await waiting?.exits(0);
    expect(waiting?.stderr).toContain("[!] The broker accepts messages again.");
    expect(waiting?.stderr.filter((line) => line === blocked)).toHaveLength(1);
  });

  test("a frozen broker: it is noticed; Ctrl-C does not wait for it", async ({ run, runWith, virtualHost }) => {
    const worker = run("02-work-queues/worker.ts");
    const AMQP_URL = `${virtualHost}?heartbeat=1`; // Instead of 10 s.
    const receive = runWith({ env: { AMQP_URL } }, "01-hello/receive.ts");
    for (const consumer of [worker, receive]) {
      await consumer.prints(WAITING_FOR_MESSAGES);
    }
    node().freeze();
    onTestFinished(() => node().unfreeze());
    await receive.warns(/^\[!\] Lost .*: Heartbeat timeout\. Reconnecting/);
    await receive.warns(/no AMQP 0-9-1 broker answered within 3 s/);
    const asked = performance.now();
    expect(await worker.stop()).toBe(0);
    expect(performance.now() - asked).toBeLessThan(1500);
    node().unfreeze();
    await receive.warns(RECONNECTED);
  });

  test("a set-up that never ends is called again; a bug that shows only then has its stack trace", async ({ run, virtualHost }) => {
    const [hangs, throws] = ["hang in the set-up", "throw after a reconnect"].map((
      what,
    ) => run("test/scripts/consumer.ts", what));
    await Promise.all([hangs?.prints("hanging"), throws?.prints(WAITING_FOR_MESSAGES)]);
    await closeConnections(virtualHost);
    await hangs?.prints(WAITING_FOR_MESSAGES);
    await hangs?.warns(RECONNECTED);
    await throws?.exits(1);
    expect(throws?.stderr.join("\n")).toMatch(/RangeError: a bug[^]*consumer\.ts/);
  });

  test("meanwhile, the password changes, the virtual host is deleted, or the settings differ: it ends with the reason", async ({ runWith, virtualHost }) => {
    const vhost = vhostOf(virtualHost);
    await node().control("add_user", vhost, "secret");
    await node().control("set_permissions", "--vhost", vhost, vhost, ".*", ".*", ".*");
    const start = async (AMQP_URL: string, script = "01-hello/receive.ts") => {
      const consumer = runWith({ env: { AMQP_URL } }, script);
      await consumer.prints(WAITING_FOR_MESSAGES);
      return consumer;
    };
    const ends = async (consumer: Program, reason: RegExp) => {
      await consumer.exits(1, 20);
      expect(consumer.stderr.at(-1)).toMatch(reason);
      expect(consumer.stderr.filter((line) => /^ +at /.test(line))).toEqual([]);
    };

    const one = await start(virtualHost.replace("guest:guest", `${vhost}:secret`));
    await node().control("change_password", vhost, "another");
    await closeConnections(virtualHost);
    await ends(one, /^\[!\] amqp:\/\/\S+:\*\*\*@\S+: wrong user or password/);

    const two = await start(virtualHost, "02-work-queues/worker.ts");
    two.signal("SIGSTOP"); // It is away while its queue is replaced.
    await closeConnections(virtualHost);
    await onChannel(virtualHost, async (channel) => {
      await channel.deleteQueue("task_queue");
      await channel.assertQueue("task_queue", { durable: true, maxLength: 5 });
    });
    two.signal("SIGCONT");
    await ends(
      two,
      /^\[!\] PRECONDITION_FAILED .* npx tsx scripts\/delete\.ts queue 'task_queue'$/,
    );

    const three = await start(virtualHost);
    await node().control("delete_vhost", vhost);
    await ends(three, /^\[!\] amqp:\S+: refused the virtual host/);
  });

  test("meanwhile, something else listens on the port: it says so, and reconnects", async ({ run }) => {
    const receive = run("01-hello/receive.ts");
    await receive.prints(WAITING_FOR_MESSAGES);
    await without(() => node().pause(), async () => {
      await receive.warns(LOST);
      const other = createServer((socket) =>
        socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")
      );
      await once(other.listen(node().port, "127.0.0.1"), "listening");
      await receive.warns(NO_BROKER);
      other.close();
    });
    await receive.warns(RECONNECTED);
    expect(receive.stderr.filter((line) => NO_BROKER.test(line))).toHaveLength(1);
  });

  test("a reply makes the broker close the connection: the other requests get their replies", async ({ run, virtualHost }) => {
    const server = run("06-rpc/server.ts", "--prefetch", "20");
    await server.prints(AWAITING_REQUESTS);
    const replies: string[] = [];
    await onChannel(virtualHost, async (channel) => {
      const { queue } = await channel.assertQueue("", { exclusive: true });
      await channel.consume(queue, (reply) => {
        replies.push(reply?.properties.correlationId);
      }, { noAck: true });
      // Made by another broker: RabbitMQ 3.10 and 4.0 fail to decode it.
      const foreign = "amq.rabbitmq.reply-to." +
        "g1h2AA5yZXBseUA3NjA5ODcyNAAACEMAAAAAawddTg==.pPao3+qOVryKi0/6wIZ+kQ==";
      for (let i = 0; i < 300; i++) {
        const replyTo = i === 100 ? foreign : queue;
        const options = { replyTo, correlationId: `${i}` };
        channel.sendToQueue("rpc_queue", Buffer.from("9"), options);
      }
      await expect.poll(() => new Set(replies).size, { timeout: 20_000 }).toBe(299);
    });
    await run("06-rpc/client.ts").exits(0);
    expect(server.stderr.filter((line) => LOST.test(line)).length).toBeLessThan(3);
    expect(await server.stop()).toBe(0);
    expect(await messagesIn(virtualHost, "rpc_queue")).toBe(0);
  });
});
