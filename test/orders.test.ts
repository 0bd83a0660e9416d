/** The order system while all is well: sales, customers at once, several services, Ctrl-C. */
import { once } from "node:events";
import { request } from "node:http";
import { expect } from "vitest";
import { onChannel } from "./lib/broker.ts";
import * as orders from "./lib/orders.ts";
import { kill } from "./lib/lesson-test.ts";
import {
  becomes,
  onEachRuntime,
  ordersOf,
  phonesIn,
  readyIn,
  sentBy,
} from "./lib/orders.ts";

const ORDER = { item: "book", quantity: 2, phone: "+49 30 123456" };

onEachRuntime("orders", (test) => {
  test("a sale is answered with the document, which can be read again; the customer gets one SMS and one coupon", async ({ system }) => {
    const gateway = await system.gateway();
    const service = await system.service();
    const sms = await system.subscriber("sms");
    const coupon = await system.subscriber("coupon");
    const { status, headers, body } = await service.order(ORDER);
    expect(status).toBe(201);
    expect(headers.get("content-type")).toBe("application/json");
    expect(body).toEqual({ id: expect.any(String), ...ORDER });
    const document = await fetch(`${service.url}/${body.id}`);
    expect([document.status, await document.json()]).toEqual([200, body]);

    const line = "[x] SMS to '+49 30 123456': 'Thank you for ordering 2 x book'";
    await gateway.prints(line);
    await coupon.prints("[x] Coupon for '+49 30 123456'");
    expect(await sms.stop()).toBe(0);
    expect(await coupon.stop()).toBe(0);
    expect(await service.program.stop()).toBe(0);
    expect(sentBy(gateway)).toEqual([ORDER.phone]);
    expect(await system.sql("orders.db", "SELECT * FROM outbox")).toEqual([]);
    const stock = await system.sql("orders.db", "SELECT * FROM stock ORDER BY item");
    expect(stock).toEqual([
      { item: "book", quantity: 999_998 },
      { item: "pen", quantity: 3 },
    ]);
    const all = [service.program, gateway, sms, coupon].flatMap(({ stderr }) => stderr);
    expect(all).toEqual([]);
  });

  test("a subscriber that has never run before gets the orders from before its first start", async ({ system, virtualHost }) => {
    const gateway = await system.gateway();
    const service = await system.service();
    await service.sells(ordersOf(3));
    await becomes(() => readyIn(virtualHost, "sms"), 3);
    await system.subscriber("sms");
    const coupon = await system.subscriber("coupon");
    await becomes(() => sentBy(gateway), phonesIn(ordersOf(3)));
    await becomes(() => orders.couponsOf(coupon), phonesIn(ordersOf(3)));
  });

  test("an event is persistent, says that it is JSON, and carries the order's id", async ({ system, virtualHost }) => {
    const service = await system.service();
    const { body } = await service.order(ORDER);
    await becomes(() => readyIn(virtualHost, "sms"), 1);
    const event = await onChannel(virtualHost, (channel) => channel.get("sms"));
    const properties = { contentType: "application/json", deliveryMode: 2 };
    expect(event).toMatchObject({ properties: { ...properties, messageId: body.id } });
    expect(JSON.parse(event ? event.content.toString() : "")).toEqual(body);
  });

  test("a wrong request is told what is wrong, and sells nothing", async ({ system }) => {
    const service = await system.service();
    async function refuses(status: number, error: RegExp, ...bodies: unknown[]) {
      const answer = { status, body: { error: expect.stringMatching(error) } };
      for (const body of bodies) {
        expect(await service.order(body), `for ${body}`).toMatchObject(answer);
      }
    }
    await refuses(400, /JSON/, "{", "", "nonsense");
    await refuses(400, /item/, null, [], 5, "5", {}, { ...ORDER, item: "" });
    await refuses(400, /item/, { ...ORDER, item: 5 }, { ...ORDER, item: ["book"] });
    await refuses(400, /phone/, { ...ORDER, phone: 5 }, { ...ORDER, phone: "" });
    const bad = [0, -1, 1.5, "2", null, 1e300, true].map((it) => ({
      ...ORDER,
      quantity: it,
    }));
    await refuses(400, /quantity/, ...bad);
    await refuses(400, /phone/, { ...ORDER, phone: "\x1b[31m" });
    await refuses(409, /./, { ...ORDER, item: "car" }, {
      ...ORDER,
      quantity: 1_000_001,
    });
    await refuses(409, /./, { ...ORDER, item: "__proto__" });
    const long = { ...ORDER, item: "é".repeat(33_000) };
    await refuses(413, /64 KiB/, long, "x".repeat(5_000_000));
    // Just below the limit, it is refused for another reason.
    await refuses(409, /./, { ...ORDER, item: "x".repeat(65_400) });

    const statusOf = async (method: string, path: string) => {
      const { status, headers } = await fetch(`${service.url}${path}`, { method });
      return [status, headers.get("allow")];
    };
    expect(await statusOf("GET", "/unknown")).toEqual([404, null]);
    expect(await statusOf("POST", "2")).toEqual([404, null]);
    expect(await statusOf("GET", "/a/b")).toEqual([404, null]);
    expect(await statusOf("GET", "")).toEqual([405, "POST"]);
    expect(await statusOf("DELETE", "")).toEqual([405, "POST"]);
    expect(await statusOf("POST", "/1")).toEqual([405, "GET"]);

    expect(service.program.stderr).toEqual([]);
    const rows =
      "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM outbox) AS n, " +
      "(SELECT sum(quantity) FROM stock) AS stock";
    expect(await system.sql("orders.db", rows)).toEqual([{ n: 0, stock: 1_000_003 }]);
  });

  test("one Idempotency-Key, twenty times at once at two services, is one order, one document and one SMS", async ({ system }) => {
    const gateway = await system.gateway();
    const services = [await system.service(), await system.service()];
    await system.subscriber("sms");
    const requests = Array.from(
      { length: 20 },
      (_, i) => services[i % 2]?.order(ORDER, "k"),
    );
    const answers = await Promise.all(requests);
    expect(answers.map((it) => it?.status)).toEqual(Array(20).fill(201));
    expect(new Set(answers.map((it) => JSON.stringify(it?.body))).size).toBe(1);
    const count =
      "SELECT (SELECT count(*) FROM orders) AS orders, quantity FROM stock " +
      "WHERE item = 'book'";
    expect(await system.sql("orders.db", count)).toEqual([{
      orders: 1,
      quantity: 999_998,
    }]);
    // The SMS of the next order shows that none is on its way any more.
    await services[0]?.sells(ordersOf(1));
    await becomes(() => sentBy(gateway), phonesIn([ORDER, ...ordersOf(1)]));
  });

  test("an Idempotency-Key with another order is refused with 422; the first order stays", async ({ system }) => {
    const service = await system.service();
    const first = await service.order(ORDER, "k");
    for (const other of [{ quantity: 3 }, { phone: "+49 31" }, { item: "pen" }]) {
      const answer = await service.order({ ...ORDER, ...other }, "k");
      expect(answer).toMatchObject({
        status: 422,
        body: { error: expect.any(String) },
      });
    }
    expect((await service.order(ORDER, "k")).body).toEqual(first.body);
    // The same order, written in another way, is no other order.
    const { item, quantity, phone } = ORDER;
    const again = await service.order(
      JSON.stringify({ phone, quantity, item }, null, 2),
      "k",
    );
    expect([again.status, again.body]).toEqual([201, first.body]);
  });

  test("of twelve customers at once for three pens, at two services, three get one, and nine are told 409", async ({ system }) => {
    const services = [await system.service(), await system.service()];
    const requests = ordersOf(12).map((order, i) =>
      services[i % 2]?.order({ ...order, item: "pen" })
    );
    const statuses = (await Promise.all(requests)).map((it) => it?.status).sort();
    expect(statuses).toEqual([...Array(3).fill(201), ...Array(9).fill(409)]);
    const stock = "SELECT quantity FROM stock WHERE item = 'pen'";
    expect(await system.sql("orders.db", stock)).toEqual([{ quantity: 0 }]);
  });

  test("a hundred orders at once, at two services on one database: none fails, nobody is told twice", async ({ system }) => {
    const gateway = await system.gateway();
    const services = [await system.service(), await system.service()];
    await system.subscriber("sms");
    const coupon = await system.subscriber("coupon");
    const all = ordersOf(100);
    const answers = await Promise.all(
      all.map((order, i) => services[i % 2]?.order(order)),
    );
    expect(answers.map((it) => it?.status)).toEqual(Array(100).fill(201));
    await becomes(() => sentBy(gateway), phonesIn(all));
    await becomes(() => orders.couponsOf(coupon), phonesIn(all));
    await becomes(() => system.sql("orders.db", "SELECT * FROM outbox"), []);
    expect(services.flatMap(({ program }) => program.stderr)).toEqual([]);
  });

  test("a service is killed with events in the outbox: the other one publishes them within 5 s, without a new order", async ({ system }) => {
    const gateway = await system.gateway();
    await system.subscriber("sms");
    await system.service();
    const unconnected = await system.service({ AMQP_URL: "amqp://127.0.0.1:1" });
    await unconnected.sells(ordersOf(10));
    await kill(unconnected.program);
    await becomes(() => sentBy(gateway), phonesIn(ordersOf(10)), 6);
  });

  test("Ctrl-C of the service: a request that was begun is answered, no other is accepted, it ends with 0", async ({ system, virtualHost }) => {
    const service = await system.service();
    // It leaves a connection open, which must not keep the service from ending.
    expect((await fetch(service.url)).status).toBe(405);
    const begun = request(service.url, { method: "POST" });
    begun.write("{");
    // The service has read the beginning when it answers what came after it.
    await service.sells(ordersOf(1));
    service.program.signal("SIGINT");
    await expect.poll(() => service.order(ORDER).catch(() => "refused")).toBe(
      "refused",
    );
    service.program.signal("SIGINT"); // An impatient reader.
    begun.end(JSON.stringify(ORDER).slice(1));
    const [response] = await once(begun, "response");
    expect(response.statusCode).toBe(201);
    await service.program.exits(0, 6);
    expect(service.program.stderr).toEqual([]);
    // Its event is published now, or by the next one: at least once.
    await system.service();
    await becomes(() => system.sql("orders.db", "SELECT * FROM outbox"), []);
    expect(await readyIn(virtualHost, "sms")).toBeGreaterThanOrEqual(2);
  });

  test("Ctrl-C of the service while a request never ends: it ends with 0 within 6 s", async ({ system }) => {
    const service = await system.service();
    const begun = request(service.url, { method: "POST" }).on("error", () => {});
    begun.write("{");
    await service.sells(ordersOf(1));
    service.program.signal("SIGTERM");
    await service.program.exits(0, 6);
    expect(service.program.stderr).toEqual([]);
  });

  test("Ctrl-C of a subscriber during ten slow SMS: it finishes these, begins no other, and ends with 0", async ({ system, virtualHost }) => {
    let answer = (_: number) => {};
    const answered = new Promise<number>((resolve) => answer = resolve);
    const gateway = await system.standIn(() => answered);
    const service = await system.service();
    await service.sells(ordersOf(15));
    await becomes(() => readyIn(virtualHost, "sms"), 15);
    const sms = await system.subscriber("sms");
    await becomes(() => gateway.attempts.length, 10);
    sms.signal("SIGINT");
    // The five others are ready again as soon as its consumer is cancelled.
    await becomes(() => readyIn(virtualHost, "sms"), 5);
    answer(200);
    await sms.exits(0, 16);
    expect(sms.stderr).toEqual([]);
    expect(gateway.sent.length).toBe(10);
    expect(await readyIn(virtualHost, "sms")).toBe(5);

    await system.subscriber("sms");
    await becomes(() => gateway.sent.sort(), phonesIn(ordersOf(15)));
    expect(gateway.attempts.length, "attempts: each SMS was begun once").toBe(15);
  });
});
