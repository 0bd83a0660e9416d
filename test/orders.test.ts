/** The order system of lesson 2: real HTTP, a real broker, real processes. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, vi } from "vitest";
import { callManagement } from "../scripts/lib/management.ts";
import { messagesIn, onChannel, setPolicy, SETTLING, vhostOf } from "./lib/broker.ts";
import { type LessonFixtures, onEveryRuntime, withOwnNode } from "./lib/lesson-test.ts";

const SERVICE = "02-work-queues/order-service.ts";
const NOTIFIER = "02-work-queues/notifier.ts";
const ORDER = { item: "book", quantity: 2, phone: "+49 30 123456" };
const TOO_LONG = "x".repeat(20_000_000);

/** Starts the service or a notifier. Returns also, once it is ready, the URL for orders. */
async function start(run: LessonFixtures["run"], script: string, ...args: string[]) {
  const program = run(script, ...args);
  await program.prints(/^\[\*\] (Listening on http:\/\/localhost:\d+$|Waiting for)/);
  return [program, `${program.stdout[0]?.split(" ").at(-1)}/orders`] as const;
}

/** Sends an order. Returns what is answered, and after how many milliseconds. */
async function send(url: string, order: unknown) {
  const start = performance.now();
  const body = typeof order === "string" ? order : JSON.stringify(order);
  const response = await fetch(url, { method: "POST", body });
  const { id, error } = JSON.parse(await response.text());
  const retry = response.headers.get("retry-after");
  return { status: response.status, retry, id, error, time: performance.now() - start };
}
const statusOf = async (url: string) => (await send(url, ORDER)).status;
const accepts = (url: string) =>
  expect.poll(() => statusOf(url), { timeout: 3000 }).toBe(201);

/** Publishes a notification, with or without an id. */
const publish = (url: string, notification: unknown, messageId?: string) =>
  onChannel(url, async (channel) => {
    const json = Buffer.from(JSON.stringify(notification));
    channel.sendToQueue("notifications", json, { messageId });
    await channel.waitForConfirms();
  });
const deleteQueue = (url: string) =>
  onChannel(url, (channel) => channel.deleteQueue("notifications"));
const sms = (phone: string) => ({ orderId: "1", phone, text: "Hello" });

onEveryRuntime("orders", (test) => {
  test("the SMS of an order is sent; the notifier finishes what it has begun, and ends", async ({ run, virtualHost }) => {
    const [service, url] = await start(run, SERVICE, "--port=0");
    const { id: messageId } = await send(url, { ...ORDER, item: "\x1b[31m'" });
    const message = await onChannel(virtualHost, (it) => it.get("notifications"));
    const properties = { contentType: "application/json", deliveryMode: 2, messageId };
    expect(message).toMatchObject({ properties });
    const [notifier] = await start(run, NOTIFIER, "--prefetch=2");
    await notifier.prints(/^\[x\] SMS to '\+49 30 123456': "Thank .* \\x1[bB]\[31m'"$/);

    for (const i of "12345") await publish(virtualHost, sms(`+${i}`));
    for (const signal of ["SIGINT", "SIGINT", "SIGTERM"] as const) {
      notifier.signal(signal);
      await sleep(100); // Two signals at once may be delivered as one.
    }
    await notifier.exits(0, 6);
    const sent = ["[x] SMS to '+1': 'Hello'", "[x] SMS to '+2': 'Hello'"];
    expect(notifier.stdout.slice(2).sort()).toEqual(sent);
    expect(await messagesIn(virtualHost, "notifications")).toBe(3);
    expect([...service.stderr, ...notifier.stderr]).toEqual([]);
  });

  test("options and requests that are wrong; the service answers what it has accepted, and ends", async ({ run }) => {
    const [service, url] = await start(run, SERVICE, "--port=0");
    const ports = ["0.5", "70000", "", new URL(url).port].map((n) => `--port=${n}`);
    const wrong = [...ports, "--prot", "word"].map((option) => run(SERVICE, option));
    for (const program of [...wrong, run(NOTIFIER, "--prefetch=0")]) {
      await program.exits(1);
      const line = /^\[!\] (The only option is --|.*EADDRINUSE|.*in use).*$/;
      expect(program.stderr.join("\n")).toMatch(line);
    }

    async function refused(status: number, error: RegExp, ...orders: unknown[]) {
      const answer = { status, error: expect.stringMatching(error) };
      for (const order of orders) expect(await send(url, order)).toMatchObject(answer);
    }
    await refused(400, /JSON/, "{", "");
    await refused(400, /^item must/, null, [], 5, {}, { ...ORDER, item: "" });
    await refused(400, /^phone must/, { ...ORDER, phone: 5 });
    const bad = [0, 1.5, "2", null, 1e300].map((quantity) => ({ ...ORDER, quantity }));
    await refused(400, /^quantity must be a positive integer/, ...bad);
    await refused(413, /64 KiB/, { ...ORDER, item: "é".repeat(33_000) }, TOO_LONG);
    expect((await send(url, { ...ORDER, item: "x".repeat(65_400) })).status).toBe(201);
    expect((await send(`${url}2`, TOO_LONG)).status).toBe(404);
    const { status, headers } = await fetch(url);
    expect([status, headers.get("allow")]).toEqual([405, "POST"]);

    const agent = new Agent({ keepAlive: true });
    const order = request(url, { method: "POST", agent });
    const aborted = request(url, { method: "POST", agent }).on("error", () => {});
    for (const each of [order, aborted]) each.write("{");
    const [idle] = await once(request(url, { agent }).end(), "response");
    await once(idle.resume(), "end"); // Its connection stays open.
    aborted.destroy();
    service.signal("SIGTERM");
    await vi.waitFor(() => expect(send(url, ORDER)).rejects.toThrow()); // No more orders.
    service.signal("SIGINT");
    order.end(JSON.stringify(ORDER).slice(1));
    const [{ statusCode }] = await once(order, "response");
    await service.exits(0, 2);
    expect([statusCode, service.stderr]).toEqual([201, []]);
  });
});

withOwnNode("orders in trouble", {}, (test, node) => {
  test("a notifier is killed; a message comes twice, or cannot be sent, which holds nothing up", async ({ run, virtualHost }) => {
    const [killed] = await start(run, NOTIFIER);
    await publish(virtualHost, sms("+0"));
    await expect.poll(() => messagesIn(virtualHost, "notifications")).toBe(0);
    killed.signal("SIGKILL");
    await killed.exits();
    expect(killed.stdout.length).toBe(1);

    const [notifier] = await start(run, NOTIFIER);
    await publish(virtualHost, sms("+49 000"));
    const first = [..."12345677"]; // The last one comes again while it is being sent,
    await Promise.all(first.map((i) => publish(virtualHost, sms(`+${i}`), i)));
    await notifier.prints(/^\[x\] SMS to '\+\d'/, 8, 2);
    await publish(virtualHost, sms("+7"), "7"); // and afterwards.
    await publish(virtualHost, "\n\x1b[31m".repeat(50));
    await publish(virtualHost, { ...sms("+1"), text: undefined });
    await notifier.warns(/^\[!\] Dead-lettered: .*(orderId|text) must be a string/, 2);
    await notifier.warns("[!] Dead-lettered: 'Error: The gateway refuses +49 000'");
    expect(await notifier.stop()).toBe(0);
    expect([notifier.stdout.length, notifier.stderr.length]).toEqual([9, 3]);
    expect(await messagesIn(virtualHost, "notifications.dead")).toBe(3);
    expect(await messagesIn(virtualHost, "notifications")).toBe(0);
  });

  test("the queue is deleted, full, or has other settings; the password is wrong", async ({ run, runWith, virtualHost }) => {
    const [, url] = await start(run, SERVICE, "--port=0");
    const [notifier] = await start(run, NOTIFIER);
    await deleteQueue(virtualHost);
    await accepts(url);
    await notifier.prints(/SMS to/);
    expect(await notifier.stop()).toBe(0);
    await deleteQueue(virtualHost);
    expect(await send(url, ORDER)).toMatchObject({ status: 503, retry: "1" });
    await accepts(url);

    const definition = { "max-length": 1, overflow: "reject-publish" };
    await setPolicy(node(), virtualHost, ".*", definition);
    const error = async () => (await send(url, ORDER)).error;
    await expect.poll(error).toBe("message nacked");
    await callManagement(node(), "DELETE", `policies/${vhostOf(virtualHost)}/test`);

    await deleteQueue(virtualHost);
    await onChannel(virtualHost, (channel) => channel.assertQueue("notifications"));
    const [refused, refusedUrl] = await start(run, SERVICE, "--port=0");
    const env = { AMQP_URL: virtualHost.replace(":guest@", ":secret@") };
    const secret = runWith({ env }, SERVICE, "--port=0");
    await secret.warns(/^\[!\] Not connected: .*ACCESS.REFUSED/);
    await sleep(2500); // It tries again, and does not repeat itself.
    expect(await statusOf(refusedUrl)).toBe(503);
    expect(refused.stderr).toEqual([expect.stringMatching(/PRECONDITION/)]);
    expect(secret.stderr).toEqual([expect.not.stringContaining("secret")]);
    await deleteQueue(virtualHost);
    await accepts(refusedUrl);
  });

  test("the broker is frozen", async ({ run }) => {
    const [, url] = await start(run, SERVICE, "--port=0");
    const [leaving, leavingUrl] = await start(run, SERVICE, "--port=0");
    const [notifier] = await start(run, NOTIFIER, "--prefetch=2000");
    const [idle] = await start(run, NOTIFIER);
    let late: ReturnType<typeof start>;
    node().freeze();
    try { // A broker that stays frozen would not delete the virtual host.
      late = start(run, SERVICE, "--port=0");
      const last = send(leavingUrl, ORDER);
      await sleep(200); // For the order to arrive.
      for (const program of [idle, leaving]) program.signal("SIGTERM");
      const orders = Array.from({ length: 1100 }, () => send(url, ORDER));
      await Promise.all([idle.exits(0, 6), leaving.exits(0, 6)]);
      const answers = await Promise.all([...orders, last]);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
      expect(answers.filter(({ time }) => time > 4900).length).toBe(1001);
      await late;
    } finally {
      node().unfreeze();
    }
    const [, lateUrl] = await late;
    await Promise.all([accepts(url), accepts(lateUrl)]);
    await notifier.prints(/SMS to/, 1003); // 503 means "not known": every one is sent.
  });

  test("the broker has an alarm, then crashes: every order that was accepted is sent", async ({ run }) => {
    const [, url] = await start(run, SERVICE, "--port=0");
    const settled = sleep(SETTLING);
    await node().control("set_vm_memory_high_watermark", "0");
    const atOnce = () => Promise.race([statusOf(url), sleep(500, "later")]);
    await expect.poll(atOnce).toBe(503);
    await node().control("set_vm_memory_high_watermark", "0.6");
    await Promise.all([accepts(url), settled]);

    const accepted: string[] = [];
    const orders = Array.from({ length: 500 }, async (_, i) => {
      await sleep(i * 10);
      const { status } = await send(url, { ...ORDER, phone: `+${i}` });
      expect([201, 503]).toContain(status);
      if (status === 201) accepted.push(`+${i}`);
    });
    await sleep(1500);
    await node().crash(); // It is not there when these start:
    const [early, earlyUrl] = await start(run, SERVICE, "--port=0");
    const [leaving] = await start(run, SERVICE, "--port=0");
    const notifier = run(NOTIFIER, "--prefetch=2000");
    expect(await leaving.stop()).toBe(0);
    expect(await statusOf(earlyUrl)).toBe(503);
    await node().start();
    await Promise.all([accepts(url), accepts(earlyUrl), ...orders]);
    const sent = () => notifier.stdout.map((line) => line.split("'")[1]);
    await expect.poll(sent).toEqual(expect.arrayContaining(accepted));
    expect(accepted.length).toBeGreaterThan(50);
    expect(early.stderr).toEqual([...new Set(early.stderr)]); // No reason twice.
  });
});
