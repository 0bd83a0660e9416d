/** RabbitMQ is away or silent under orders/: sales go on, and everyone is told later. */
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { TestNode } from "./lib/test-node.ts";
import { onChannel, proxyTo, SETTLING } from "./lib/broker.ts";
import { kill, withOwnNode } from "./lib/lesson-test.ts";
import {
  becomes,
  isLong,
  ordersOf,
  phonesIn,
  QUEUES,
  readyIn,
  startTelling,
  withOrders,
} from "./lib/orders.ts";

type Away = [
  how: string,
  leave: (node: TestNode) => unknown,
  comeBack: (node: TestNode) => unknown,
];

const ways: Away[] = [
  ["is stopped", (node) => node.pause(), (node) => node.start()],
  ["is killed", (node) => node.crash(), (node) => node.start()],
  ["is frozen", async (node) => {
    node.freeze();
    // After 20 s, both sides miss the heartbeats.
    await sleep(isLong ? 35_000 : 3000);
  }, (node) => node.unfreeze()],
  [
    "has a memory alarm",
    (node) => node.control("set_vm_memory_high_watermark", "0"),
    (node) => node.control("set_vm_memory_high_watermark", "0.6"),
  ],
];

withOwnNode("the broker", {}, (base, node) => {
  const test = withOrders(base);

  test.for(ways)(
    "%s: each sale takes less than a second, also after a kill -9 of the service, and everyone is told later, once",
    async ([, leave, comeBack], { system }) => {
      const areTold = await startTelling(system);
      const service = await system.service();
      await service.sells(ordersOf(10, "before "));
      await areTold(ordersOf(10, "before "));
      await sleep(SETTLING);
      try {
        await leave(node());
        await service.sells(ordersOf(50, "first "));
        await kill(service.program);
        const again = await system.service();
        await again.sells(ordersOf(50, "then "));
      } finally {
        await comeBack(node());
      }
      const all = ["before ", "first ", "then "].flatMap((it) =>
        ordersOf(it === "before " ? 10 : 50, it)
      );
      await areTold(all);
    },
  );

  test("has never been there: a service starts, sells, says once that it is not connected, and everyone is told later", async ({ system }) => {
    await node().pause();
    try {
      const service = await system.service();
      expect(await service.sells(ordersOf(50, "first "))).toBeLessThan(1000);
      await service.program.warns(/^\[!\] RabbitMQ is away: /);
      await sleep(2500); // It tries again meanwhile, which is no news.
      expect(service.program.stderr.length).toBe(1);
      await kill(service.program);
      const again = await system.service();
      expect(await again.sells(ordersOf(50, "then "))).toBeLessThan(1000);
    } finally {
      await node().start();
    }
    const areTold = await startTelling(system);
    await areTold([...ordersOf(50, "first "), ...ordersOf(50, "then ")]);
  });

  test("is stopped at Ctrl-C: service and subscribers end with 0 at once, and without a word but that it is away", async ({ system, virtualHost }) => {
    const service = await system.service();
    const programs = [
      service.program,
      await system.subscriber("sms"),
      await system.subscriber("coupon"),
    ];
    await node().pause();
    try {
      const away = /^\[!\] RabbitMQ is away: /;
      await Promise.all(programs.map((program) => program.warns(away)));
      for (const program of programs) program.signal("SIGINT");
      await Promise.all(programs.map((program) => program.exits(0, 6)));
      // With the words of a closing broker, and those of none.
      for (const { stderr } of programs) {
        expect(stderr.filter((line) => !away.test(line))).toEqual([]);
      }
    } finally {
      await node().start();
    }
    // Deleting a virtual host whose queues are still starting breaks RabbitMQ 3.10.
    const doAnswer = () =>
      onChannel(virtualHost, async (channel) => {
        channel.on("error", () => {}); // Otherwise it would be thrown.
        for (const name of QUEUES) await channel.get(name);
      });
    await becomes(() => doAnswer().then(() => true, () => false), true, 60);
  });

  test("is frozen at Ctrl-C: the service ends with 0 within 6 s, a subscriber with ten SMS within 16 s; what they had begun comes again, and the key absorbs it", async ({ system, virtualHost }) => {
    let answer = (_: number) => {};
    const answered = new Promise<number>((resolve) => answer = resolve);
    const gateway = await system.standIn(() => answered);
    const service = await system.service();
    const sms = await system.subscriber("sms");
    await service.sells(ordersOf(10));
    await becomes(() => gateway.attempts.length, 10);
    try {
      node().freeze();
      await service.sells(ordersOf(5, "late "));
      const begun = request(service.url, { method: "POST" }).on("error", () => {});
      begun.write("{");
      for (const program of [service.program, sms]) program.signal("SIGINT");
      answer(200);
      await Promise.all([service.program.exits(0, 6), sms.exits(0, 16)]);
    } finally {
      node().unfreeze();
    }
    await system.service();
    await system.subscriber("sms");
    const all = [...ordersOf(10), ...ordersOf(5, "late ")];
    await becomes(() => [...new Set(gateway.sent)].sort(), phonesIn(all), 30);
    await becomes(() => readyIn(virtualHost, "sms"), 0);
    const keys = new Set(gateway.attempts.map(({ key }) => key));
    expect(keys.size, "keys: one for each order").toBe(15);
  });

  test("confirms late: the relay deletes exactly what it has published, not an event of another service with a smaller number", async ({ system, virtualHost }) => {
    // The proxy only looks: has the event been published?
    let published = false;
    const AMQP_URL = await proxyTo(virtualHost, (bytes, from) => {
      published ||= from === "client" && bytes.includes("published first");
      return bytes;
    });
    const service = await system.service({ AMQP_URL });
    await service.sells(ordersOf(1));
    await becomes(() => system.sql("orders.db", "SELECT * FROM outbox"), []);
    try {
      node().freeze();
      await service.sells(ordersOf(3, "published first "));
      await becomes(() => published, true);
      // On PostgreSQL, a transaction with a smaller number may commit later.
      const copy = `INSERT INTO outbox (number, id, event)
        SELECT -1, 'late', replace(event, 'published first', 'late') FROM outbox LIMIT 1`;
      await system.sql("orders.db", copy);
    } finally {
      node().unfreeze();
    }
    await becomes(() => readyIn(virtualHost, "sms"), 5);
    await becomes(() => system.sql("orders.db", "SELECT * FROM outbox"), []);
  });
});
