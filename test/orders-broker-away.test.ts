/** RabbitMQ is away, silent or emptied under orders/: sales go on, and everyone is told. */
import { Buffer } from "node:buffer";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import type { RabbitMQNode } from "../scripts/lib/rabbitmq-node.ts";
import { onChannel, proxyTo, SETTLING } from "./lib/broker.ts";
import { withOwnNode } from "./lib/lesson-test.ts";
import * as orders from "./lib/orders.ts";
import {
  becomes,
  isLong,
  kill,
  type Order,
  ordersOf,
  type OrderSystem,
  phonesIn,
  readyIn,
  sentBy,
  test as onSharedBroker,
  withOrders,
} from "./lib/orders.ts";

const QUEUES = ["sms", "coupon"].flatMap((it) => [it, `${it}.retry`, `${it}.dead`]);

/** Starts everything but the service, and returns a function that waits until all are told. */
async function startTelling(system: OrderSystem) {
  const gateway = await system.gateway();
  await system.subscriber("sms");
  const coupon = await system.subscriber("coupon");
  return async (all: Order[], seconds = 30) => {
    await becomes(() => sentBy(gateway), phonesIn(all), seconds);
    await becomes(() => orders.couponsOf(coupon), phonesIn(all), seconds);
    await becomes(() => system.sql("orders.db", "SELECT * FROM outbox"), []);
  };
}

type Away = [
  how: string,
  leave: (node: RabbitMQNode) => unknown,
  comeBack: (node: RabbitMQNode) => unknown,
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

describe("in the broker", () => {
  const test = onSharedBroker;

  test("all queues are deleted: the service declares them again; no order is refused, and no event that is in the outbox is lost", async ({ system, virtualHost }) => {
    const service = await system.service();
    await service.sells(ordersOf(1));
    await becomes(() => readyIn(virtualHost, "sms"), 1);
    await onChannel(virtualHost, async (channel) => {
      for (const name of QUEUES) await channel.deleteQueue(name);
    });
    await service.sells(ordersOf(20, "then "));
    const areTold = await startTelling(system);
    await areTold(ordersOf(20, "then "));
  });

  test("all queues are deleted under running subscribers: they go on", async ({ system, virtualHost }) => {
    const areTold = await startTelling(system);
    const service = await system.service();
    await service.sells(ordersOf(1));
    await areTold(ordersOf(1));
    await onChannel(virtualHost, async (channel) => {
      for (const name of QUEUES) await channel.deleteQueue(name);
    });
    // With a queue missing, an event is lost for it: the page says so.
    const consumers = (name: string) =>
      onChannel(
        virtualHost,
        async (channel) => (await channel.checkQueue(name)).consumerCount,
      )
        .catch(() => 0);
    await becomes(() => Promise.all(["sms", "coupon"].map(consumers)), [1, 1]);
    await service.sells(ordersOf(20, "then "));
    await areTold([...ordersOf(1), ...ordersOf(20, "then ")]);
  });

  test("the exchange is deleted: it is declared again; no order is refused, and everyone is told", async ({ system, virtualHost }) => {
    const areTold = await startTelling(system);
    const service = await system.service();
    await service.sells(ordersOf(1));
    await areTold(ordersOf(1));
    await onChannel(virtualHost, (channel) => channel.deleteExchange("orders"));
    await service.sells(ordersOf(20, "then "));
    await areTold([...ordersOf(1), ...ordersOf(20, "then ")]);
  });

  test("the queues for trying later and for dead letters are deleted: no message is lost", async ({ system, virtualHost }) => {
    system.env.RETRY_DELAY = "500";
    const gateway = await system.standIn(() => 500);
    await system.subscriber("sms");
    await onChannel(virtualHost, async (channel) => {
      for (const name of QUEUES) {
        if (name.includes(".")) await channel.deleteQueue(name);
      }
      const event = { id: "1", item: "book", quantity: 1, phone: "+1" };
      channel.sendToQueue("sms", Buffer.from(JSON.stringify(event)));
      await channel.waitForConfirms();
    });
    await becomes(() => gateway.attempts.length > 2, true);
    gateway.behave = () => 422;
    await becomes(() => readyIn(virtualHost, "sms.dead"), 1);
    expect(await readyIn(virtualHost, "sms")).toBe(0);
  });
});
