/** What the world does to the subscribers of orders/: a gateway in trouble, bad messages. */
import { Buffer } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import type { GetMessage } from "amqplib";
import { describe, expect } from "vitest";
import { onChannel } from "./lib/broker.ts";
import { kill } from "./lib/lesson-test.ts";
import {
  becomes,
  isLong,
  ordersOf,
  phonesIn,
  readyIn,
  sentBy,
  test,
} from "./lib/orders.ts";

/** An event, as the service publishes it. */
const eventOf = (phone: string) => ({
  id: `of-${encodeURIComponent(phone)}`,
  item: "book",
  quantity: 1,
  phone,
});

/** Publishes messages to a queue, such as events that are left from yesterday. */
function publish(url: string, queue: string, bodies: unknown[]): Promise<void> {
  return onChannel(url, async (channel) => {
    for (const body of bodies) {
      const isBuffer = Buffer.isBuffer(body);
      const content = isBuffer ? body : Buffer.from(JSON.stringify(body));
      channel.sendToQueue(queue, content, { persistent: true });
    }
    await channel.waitForConfirms();
  });
}

/** Reads the messages in a queue, which stay there. */
function peek(url: string, queue: string): Promise<GetMessage[]> {
  return onChannel(url, async (channel) => {
    const messages: GetMessage[] = [];
    for (;;) {
      const message = await channel.get(queue);
      if (!message) return messages;
      messages.push(message);
    }
  });
}

/** The numbers in the messages of a queue. */
async function phonesInQueue(url: string, queue: string): Promise<string[]> {
  const messages = await peek(url, queue);
  return messages.map(({ content }) => JSON.parse(`${content}`).phone).sort();
}

const AWAY = expect.stringMatching(/^\[!\] sms is away: '.+'$/);

const headersOf = (message?: GetMessage) => message?.properties.headers ?? {};

// They wait a lot, so some of them run at the same time.
describe.concurrent("the SMS gateway", () => {
  test("is away: no SMS is dead, and all are sent once, within 15 s of its return", async ({ system, virtualHost }) => {
    const seconds = isLong ? 30 : 5;
    const first = await system.gateway();
    const service = await system.service();
    await system.subscriber("sms");
    await kill(first);
    await service.sells(ordersOf(50));
    await sleep(seconds * 1000);
    const back = await system.gateway(system.env.GATEWAY?.match(/\d+/)?.[0]);
    await becomes(() => sentBy(back), phonesIn(ordersOf(50)), 15);
    expect(await readyIn(virtualHost, "sms.dead")).toBe(0);
  });

  test("is away during a backlog: it is asked at most ten times a second, the backlog stays in the queue, one line says so and one that it is back", async ({ system, virtualHost }) => {
    const [seconds, count] = isLong ? [60, 20_000] : [8, 2000];
    // Closing the connection is no way to count: Deno's fetch then asks twice.
    const gateway = await system.standIn(() => 503);
    const sms = await system.subscriber("sms");
    const phones = phonesIn(ordersOf(count));
    await publish(virtualHost, "sms", phones.map(eventOf));
    for (let second = 0; second < seconds; second++) {
      await sleep(1000);
      expect(await readyIn(virtualHost, "sms.retry")).toBeLessThan(700);
    }
    const times = gateway.attempts.map(({ time }) => time);
    // It has been away for a little longer than the subscriber has had events.
    const most = 10 * ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000 + 10;
    expect(times.length, "attempts").toBeLessThanOrEqual(most);
    expect(times.length, "attempts: it is asked again and again").toBeGreaterThan(15);
    const left = await readyIn(virtualHost, "sms");
    expect(left, "events in sms").toBeGreaterThan(count - times.length - 20);
    const away = "[!] sms is away: 'The gateway answers 503'";
    expect(sms.stderr).toEqual([away]);

    gateway.behave = () => 200;
    await becomes(() => gateway.sent.length, count, isLong ? 300 : 60);
    expect(gateway.sent.sort()).toEqual(phones);
    expect(sms.stderr).toEqual([away, "[!] sms is back"]);
  });

  test("answers 500, 401, 404 or 429, or closes the connection: the SMS is tried again later", async ({ system, virtualHost }) => {
    system.env.RETRY_DELAY = "500";
    const phones = ["401", "404", "429", "500", "close"];
    const gateway = await system.standIn(({ phone }, count) => {
      if (count > 2) return 200;
      return phone === "close" ? "close" : Number(phone);
    });
    await system.subscriber("sms");
    await publish(virtualHost, "sms", phones.map(eventOf));
    await becomes(() => gateway.sent.sort(), phones);
    expect(gateway.attempts.length).toBe(3 * phones.length);
    expect(await readyIn(virtualHost, "sms.dead")).toBe(0);
  });

  test("does not answer: the SMS is tried again later, and others are not held up", async ({ system, virtualHost }) => {
    system.env.RETRY_DELAY = "500";
    const gateway = await system.standIn(({ phone }, count) =>
      phone === "+1" && count === 1 ? "hang" : 200
    );
    await system.subscriber("sms");
    await publish(virtualHost, "sms", ["+1", "+2", "+3"].map(eventOf));
    await becomes(() => gateway.sent.length, 2, 5); // The limit is 10 s.
    await becomes(() => gateway.sent.sort(), ["+1", "+2", "+3"], 20);
    expect(await readyIn(virtualHost, "sms.dead")).toBe(0);
  });

  test("answers 400 or 422: the message goes to sms.dead at once, with the reason", async ({ system, virtualHost }) => {
    const gateway = await system.standIn(({ phone }) => Number(phone));
    const sms = await system.subscriber("sms");
    await publish(virtualHost, "sms", ["400", "422"].map(eventOf));
    await becomes(() => phonesInQueue(virtualHost, "sms.dead"), ["400", "422"]);
    for (const message of await peek(virtualHost, "sms.dead")) {
      const { phone } = JSON.parse(`${message.content}`);
      expect(headersOf(message).reason).toContain(`${phone} as the test says`);
    }
    expect(gateway.attempts.length).toBe(2);
    const line = expect.stringMatching(
      /^\[!\] To sms.dead: '.*4\d\d as the test says.*'$/,
    );
    expect(sms.stderr).toEqual([line, line]);
  });

  test("fails for longer than RETRY_FOR: the message is given up, with the reason", async ({ system, virtualHost }) => {
    Object.assign(system.env, { RETRY_DELAY: "300", RETRY_FOR: "2500" });
    const gateway = await system.standIn(() => 500);
    const sms = await system.subscriber("sms");
    await publish(virtualHost, "sms", [eventOf("+1")]);
    await sms.warns(/^\[!\] To sms.dead: /);
    const times = gateway.attempts.map(({ time }) => time);
    // Later, the gateway may have forgotten the key.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThan(2500 + 100);
    expect(times.length).toBeGreaterThan(1);
    await becomes(() => readyIn(virtualHost, "sms.dead"), 1);
    const headers = headersOf((await peek(virtualHost, "sms.dead"))[0]);
    expect(headers.reason).toMatch(/500/);
    expect(headers.attempts).toBe(times.length);
  });

  test("refuses a number that ends in 000: it is in sms.dead at once, others are sent; replay.ts moves it back, and it is refused again", async ({ system, virtualHost }) => {
    const gateway = await system.gateway();
    const service = await system.service();
    const sms = await system.subscriber("sms");
    const refused = { item: "book", quantity: 1, phone: "+49 30 000" };
    await service.sells([refused, ...ordersOf(20)]);
    const line = /^\[!\] To sms.dead: '.*422 .*'$/;
    await sms.warns(line);
    await becomes(() => sentBy(gateway), phonesIn(ordersOf(20)));
    await becomes(() => phonesInQueue(virtualHost, "sms.dead"), ["+49 30 000"]);
    expect(headersOf((await peek(virtualHost, "sms.dead"))[0]).reason).toMatch(/422/);

    const replay = system.start("replay.ts", {}, "sms");
    await replay.exits(0, 10);
    expect([replay.stdout, replay.stderr]).toEqual([["[x] 1 moved back to sms"], []]);
    await sms.warns(line, 2);
    await becomes(() => phonesInQueue(virtualHost, "sms.dead"), ["+49 30 000"]);
    expect(sms.stderr.length).toBe(2);
  });

  test("fails before and after a restart with another retry delay: no error, all are sent", async ({ system, virtualHost }) => {
    const gateway = await system.standIn(() => 500);
    const before = await system.subscriber("sms", { RETRY_DELAY: "4000" });
    await publish(virtualHost, "sms", [eventOf("+1")]);
    await becomes(() => readyIn(virtualHost, "sms.retry"), 1);
    expect(await before.stop()).toBe(0);
    const after = await system.subscriber("sms", { RETRY_DELAY: "500" });
    await publish(virtualHost, "sms", [eventOf("+2")]);
    await becomes(() => gateway.attempts.some(({ phone }) => phone === "+2"), true);
    gateway.behave = () => 200;
    await becomes(() => gateway.sent.sort(), ["+1", "+2"]);
    await becomes(() => after.stderr, [AWAY, "[!] sms is back"]);
  });

  test("hangs at Ctrl-C: the subscriber ends with 0 within 16 s, and its SMS are sent later", async ({ system, virtualHost }) => {
    const gateway = await system.standIn(() => "hang");
    system.env.RETRY_DELAY = "500";
    const sms = await system.subscriber("sms");
    await publish(virtualHost, "sms", phonesIn(ordersOf(10)).map(eventOf));
    await becomes(() => gateway.attempts.length, 10);
    sms.signal("SIGTERM");
    await sms.exits(0, 16);
    gateway.behave = () => 200;
    await system.subscriber("sms");
    await becomes(() => gateway.sent.sort(), phonesIn(ordersOf(10)));
    expect(await readyIn(virtualHost, "sms.dead")).toBe(0);
  });
});

/** Messages that are no order, and those that are one but for a detail. */
const bad = [
  "nonsense",
  "",
  "null",
  "5",
  "[]",
  "{}",
  '"\\u001b[31mred"',
  "\x1b[31m\x07red\r\n",
  JSON.stringify({ ...eventOf("+1"), id: 5 }),
  JSON.stringify({ ...eventOf("+1"), quantity: "1" }),
  JSON.stringify({ ...eventOf("+1"), phone: ["+1"] }),
  JSON.stringify({ ...eventOf("+1"), item: null }),
  JSON.stringify({ ...eventOf("+1"), phone: "\x1b[31m\x07\r\n\u009b" }),
].map((text) => Buffer.from(text));
const [before, after] = JSON.stringify(eventOf("+?")).split("?");
const notUTF8 = Buffer.from([0xff, 0xfe]);
const badPhone = Buffer.concat([
  Buffer.from(`${before}`),
  notUTF8,
  Buffer.from(`${after}`),
]);

describe.concurrent("a message", () => {
  test("that is no order is in NAME.dead as it was, with the reason, and reaches neither gateway nor terminal", async ({ system, virtualHost }) => {
    const gateway = await system.gateway();
    const programs = [
      await system.subscriber("sms"),
      await system.subscriber("coupon"),
    ];
    const all = [...bad, notUTF8, badPhone];
    const good = eventOf("+49 30 '1'");
    await onChannel(virtualHost, async (channel) => {
      for (const content of all) channel.publish("orders", "", content);
      channel.publish("orders", "", Buffer.from(JSON.stringify(good)));
      await channel.waitForConfirms();
    });
    for (const name of ["sms", "coupon"]) {
      await becomes(() => readyIn(virtualHost, `${name}.dead`), all.length);
      const dead = await peek(virtualHost, `${name}.dead`);
      const hexOf = (contents: Buffer[]) =>
        contents.map((it) => it.toString("hex")).sort();
      expect(hexOf(dead.map(({ content }) => content))).toEqual(hexOf(all));
      for (const message of dead) expect(headersOf(message).reason).toMatch(/./);
    }
    await gateway.prints(/^\[x\] SMS to /);
    expect(gateway.stdout.length).toBe(2);
    for (const { stdout, stderr } of [gateway, ...programs]) {
      // deno-lint-ignore no-control-regex -- it is these that must not be there
      expect([...stdout, ...stderr].join("")).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
    }
    for (const { stderr } of programs) expect(stderr.length).toBe(all.length);
  });

  test("during which the subscriber is killed is in sms.dead when its 21st delivery has failed; the others are sent, or are sent after replay.ts", async ({ system, virtualHost }) => {
    const url = virtualHost;
    const good = phonesIn(ordersOf(30));
    const starting = await system.subscriber("sms", { GATEWAY: "http://127.0.0.1:1" });
    await starting.stop();
    const events = [...good.slice(0, 5), "poison", ...good.slice(5)].map(eventOf);
    await publish(url, "sms", events);
    const gateway = await system.standIn(({ phone }) => {
      if (phone !== "poison") return 200;
      sms.signal("SIGKILL");
      return "hang";
    });
    let sms = system.start("sms.ts");
    for (let delivery = 1; delivery < 21; delivery++) {
      await sms.exits(128 + 9);
      sms = system.start("sms.ts");
    }
    await sms.exits(128 + 9);
    const poisoned = async () =>
      (await phonesInQueue(url, "sms.dead")).includes("poison");
    await becomes(poisoned, true);
    // Without it, the subscriber lives, and sends the others.
    await system.subscriber("sms");
    await becomes(() => readyIn(url, "sms"), 0);
    const dead = await phonesInQueue(url, "sms.dead");
    await becomes(() => [...new Set([...gateway.sent, ...dead])].sort(), [
      ...good,
      "poison",
    ]);
    for (const message of await peek(url, "sms.dead")) {
      expect(headersOf(message)["x-death"]?.[0]?.reason).toBe("delivery_limit");
    }

    gateway.behave = () => 200;
    await system.start("replay.ts", {}, "sms").exits(0, 10);
    await becomes(() => [...new Set(gateway.sent)].sort(), [...good, "poison"]);
    expect(await readyIn(url, "sms.dead")).toBe(0);
  });
});
