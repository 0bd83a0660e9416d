/** Everything that can be killed is killed, again and again, while customers order. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Program } from "../scripts/lib/program.ts";
import { freePort } from "./lib/ports.ts";
import { SETTLING } from "./lib/broker.ts";
import { kill, withOwnNode } from "./lib/lesson-test.ts";
import { becomes, isLong, readyIn, sentBy, withOrders } from "./lib/orders.ts";

/** For how long the killing goes on, in seconds, and for how many orders at least. */
const SECONDS = isLong ? 60 : 10;
const ORDERS = 10 * SECONDS;
const CUSTOMERS = 8;
/** How long anything lives, in milliseconds. */
const lifetime = () => 500 + Math.random() * 2000;

withOwnNode("chaos", {}, (base, node) => {
  const test = withOrders(base);

  test("service, subscribers and broker are killed (-9) at random under load: each 201 is one order, one SMS and one coupon, and the stock is exact", async ({ system, virtualHost, signal: aborted }) => {
    const gateway = await system.gateway();
    const PORT = String(await freePort());
    const url = `http://localhost:${PORT}/orders`;
    const running: Program[] = [];
    const programs = ["order-service.ts", "sms.ts", "coupon.ts"];
    for (const script of programs) running.push(system.start(script, { PORT }));
    await running[2]?.prints(/Waiting/);
    await sleep(SETTLING);
    const end = performance.now() + SECONDS * 1000;
    let hasFailed = false;
    const isOver = () =>
      hasFailed || aborted.aborted ||
      performance.now() > end && accepted.length >= ORDERS;
    const accepted: { id: string; phone: string; quantity: number }[] = [];
    const kills: string[] = [];

    async function killAgainAndAgain(index: number, script: string): Promise<void> {
      while (!isOver()) {
        const program = running[index];
        // A service that never came to listen would sell nothing.
        if (index === 0) await program?.prints(/^\[\*\] Listening/, 1, 60);
        await sleep(lifetime());
        kills.push(script);
        if (program) await kill(program);
        running[index] = system.start(script, { PORT });
      }
    }
    async function killBroker(): Promise<void> {
      while (!isOver()) {
        kills.push("broker");
        await node().crash();
        await node().start();
        await sleep(SETTLING);
      }
    }

    /** Orders, and again with the same key, until the answer is 201. */
    async function order(number: string): Promise<void> {
      const quantity = 1 + Math.floor(Math.random() * 3);
      const body = JSON.stringify({ item: "book", quantity, phone: `${number}-1` });
      const headers = { "idempotency-key": number };
      while (!hasFailed && !aborted.aborted) {
        const signal = AbortSignal.timeout(10_000);
        const response = await fetch(url, { method: "POST", body, headers, signal })
          .catch(() => undefined);
        if (response) expect([201, 503]).toContain(response.status);
        if (response?.status === 201) {
          const text = await response.text().catch(() => "");
          if (text) return void accepted.push(JSON.parse(text));
        }
        await sleep(20); // The service has just been killed.
      }
    }
    async function orderAgainAndAgain(customer: number): Promise<void> {
      for (let i = 0; !isOver(); i++) await order(`+${customer}-${i}`);
    }
    const customers = Array.from(
      { length: CUSTOMERS },
      (_, i) => orderAgainAndAgain(i),
    );
    const killers = programs.map((script, index) => killAgainAndAgain(index, script));
    const loops = [...customers, ...killers, killBroker()];
    for (const loop of loops) loop.catch(() => hasFailed = true);
    await Promise.allSettled(loops); // Whatever happens, none goes on.
    await Promise.all(loops);
    console.log(`${kills.length} kills, ${accepted.length} orders`);

    const phones = accepted.map(({ phone }) => phone).sort();
    await becomes(() => sentBy(gateway), phones, 60);
    const givenTo = "SELECT phone FROM coupons ORDER BY phone";
    const coupons = async () =>
      (await system.sql("coupons.db", givenTo)).map(({ phone }) => phone).sort();
    await becomes(coupons, phones, 60);
    await becomes(() => system.sql("orders.db", "SELECT * FROM outbox"), []);
    const ids = await system.sql("orders.db", "SELECT id FROM orders ORDER BY id");
    expect(ids.map(({ id }) => id)).toEqual(accepted.map(({ id }) => id).sort());
    const sold = accepted.reduce((sum, { quantity }) => sum + quantity, 0);
    const stock = "SELECT quantity FROM stock WHERE item = 'book'";
    expect(await system.sql("orders.db", stock)).toEqual([{
      quantity: 1_000_000 - sold,
    }]);
    for (
      const queue of ["sms", "coupon"].flatMap((
        it,
      ) => [it, `${it}.retry`, `${it}.dead`])
    ) {
      await becomes(async () => [queue, await readyIn(virtualHost, queue)], [
        queue,
        0,
      ]);
    }
  });
});
