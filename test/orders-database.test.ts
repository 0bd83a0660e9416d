/** The databases of orders/ are locked or full: nothing is sold, and nothing is lost. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, expect, inject } from "vitest";
import { callManagement } from "../scripts/lib/management.ts";
import { freePort } from "./lib/ports.ts";
import { vhostOf } from "./lib/broker.ts";
import * as orders from "./lib/orders.ts";
import {
  becomes,
  ordersOf,
  phonesIn,
  readyIn,
  sentBy,
  Service,
  test,
} from "./lib/orders.ts";

const UNAVAILABLE = { status: 503, body: { error: expect.any(String) } };
const CANNOT_WRITE = expect.stringMatching(/^\[!\] The database cannot write: /);
const CAN_WRITE = "[!] The database can write again";
const STOCK = "SELECT quantity FROM stock WHERE item = 'book'";

describe.concurrent("the database", () => {
  test("is locked for longer than 5 s: 503 with Retry-After, nothing is sold, one line; afterwards it sells", async ({ system }) => {
    const service = await system.service();
    const [order] = ordersOf(1);
    const { body } = await service.order(order);
    const release = await system.lock("orders.db");
    const answer = await service.order(order);
    expect(answer).toMatchObject(UNAVAILABLE);
    expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(answer.time).toBeLessThan(8000);
    // Who only reads does not wait for it.
    expect((await fetch(`${service.url}/${body.id}`)).status).toBe(200);
    await release();
    await service.program.warns(/^\[!\] The database cannot write: /);
    expect(await system.sql("orders.db", STOCK)).toEqual([{ quantity: 999_999 }]);
    await service.sells(ordersOf(1));
    await service.program.warns(CAN_WRITE);
    expect(service.program.stderr).toEqual([CANNOT_WRITE, CAN_WRITE]);
    expect(await system.sql("orders.db", STOCK)).toEqual([{ quantity: 999_998 }]);
  });

  test("is locked for a moment: the customer waits for it, and gets the order", async ({ system }) => {
    const service = await system.service();
    const release = await system.lock("orders.db");
    const order = service.order(ordersOf(1)[0]);
    await release();
    expect((await order).status).toBe(201);
    expect(service.program.stderr).toEqual([]);
  });

  test("is locked when the relay has published: it deletes the events afterwards, and its service goes on", async ({ system, virtualHost }) => {
    const broker = inject("broker");
    const path = `vhosts/${vhostOf(virtualHost)}`;
    await callManagement(broker, "DELETE", path);
    const service = await system.service();
    await service.sells(ordersOf(10));
    const release = await system.lock("orders.db");
    // Now it can publish, but not delete what it has published.
    await callManagement(broker, "PUT", path);
    await service.program.warns(/^\[!\] The database cannot write/);
    expect(await readyIn(virtualHost, "sms")).toBeGreaterThanOrEqual(10);
    await release();
    await becomes(() => system.sql("orders.db", "SELECT * FROM outbox"), []);
    await service.sells(ordersOf(1, "then "));
    const gateway = await system.gateway();
    await system.subscriber("sms");
    const all = [...ordersOf(10), ...ordersOf(1, "then ")];
    await becomes(() => sentBy(gateway), phonesIn(all));
  });

  test("of the coupons is locked for longer than 5 s: the customer gets a coupon afterwards", async ({ system }) => {
    system.env.RETRY_DELAY = "500";
    const service = await system.service();
    const coupon = await system.subscriber("coupon");
    const release = await system.lock("coupons.db");
    await service.sells(ordersOf(3));
    await coupon.warns(/^\[!\] /);
    await release();
    await becomes(() => orders.couponsOf(coupon), phonesIn(ordersOf(3)), 20);
  });
});

const mounts = 'mount -t tmpfs -o size=500k none "$0"';
const canMount = spawnSync("unshare", ["-rm", "sh", "-c", mounts, "/mnt"]).status === 0;
const why = canMount ? "" : " (skipped: no file system can be mounted here)";

describe.skipIf(!canMount)("the disk" + why, () => {
  test("is full: 503 with Retry-After, nothing is sold, one line; afterwards it sells, and everyone is told", async ({ system }) => {
    const gateway = await system.gateway();
    await system.subscriber("sms");
    // A small disk, which only the service and its children see.
    const PORT = String(await freePort());
    const script = `${mounts} && echo $$ && exec "$@"`;
    const command = system.commandOf("order-service.ts");
    const inside = ["unshare", "-rm", "sh", "-c", script, system.data, ...command];
    const program = system.run(inside, { PORT });
    await program.prints(/^\[\*\] Listening/);
    const service = new Service(program);
    const file = join(`/proc/${program.stdout[0]}/root`, system.data, "other data");
    await service.sells(ordersOf(1));
    expect(() => {
      for (;;) fs.appendFileSync(file, "x".repeat(1024));
    }).toThrow("ENOSPC");

    // What the database has allocated already may do for some.
    const accepted = ordersOf(1);
    for (const order of ordersOf(500, "full ")) {
      const answer = await service.order(order);
      if (answer.status === 201) {
        accepted.push(order);
        continue;
      }
      expect(answer).toMatchObject(UNAVAILABLE);
      expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
      break;
    }
    expect(accepted.length).toBeLessThan(500);
    fs.rmSync(file);
    const then = ordersOf(5, "then ");
    await service.sells(then);
    await becomes(() => sentBy(gateway), phonesIn([...accepted, ...then]));
    await program.warns(CAN_WRITE);
    expect(program.stderr).toEqual([CANNOT_WRITE, CAN_WRITE]);
    expect(program.stderr[0]).toContain("full");
  });
});
