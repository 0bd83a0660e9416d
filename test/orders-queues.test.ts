/** Queues or the exchange of orders/ are deleted: they are declared again, and little is lost. */
import { Buffer } from "node:buffer";
import { describe, expect, inject } from "vitest";
import { onChannel, setPolicy } from "./lib/broker.ts";
import {
  becomes,
  ordersOf,
  QUEUES,
  readyIn,
  startTelling,
  stateOf,
  test,
} from "./lib/orders.ts";

describe.concurrent("in the broker", () => {
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
    const consumers = async (name: string) =>
      (await stateOf(virtualHost, name))?.consumerCount;
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

  test("the queue of one subscriber is full: what it has taken is not published again, and everyone is told when it has room", async ({ system, virtualHost }) => {
    const service = await system.service();
    await service.sells(ordersOf(1));
    await becomes(() => readyIn(virtualHost, "sms"), 1);
    await setPolicy(inject("broker"), virtualHost, "^sms$", { "max-length": 5 });
    await service.sells(ordersOf(60, "then "));
    const left = async () =>
      (await system.sql("orders.db", "SELECT * FROM outbox")).length;
    expect(await left()).toBeGreaterThan(20);
    const taken = () => readyIn(virtualHost, "sms");
    await becomes(async () => await left() + (await taken() ?? 0), 61);
    const areTold = await startTelling(system);
    await areTold([...ordersOf(1), ...ordersOf(60, "then ")]);
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
