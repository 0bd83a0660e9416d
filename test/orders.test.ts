/** The order system of lesson 2: real HTTP, a real broker, real processes. */
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, vi } from "vitest";
import type { Program } from "../scripts/lib/program.ts";
import {
  messagesIn,
  onChannel,
  onEveryRuntime,
  test as testInTurn,
  WAITING_FOR_MESSAGES,
  withOwnNode,
} from "./lib/lesson-test.ts";

const SERVICE = "02-work-queues/order-service.ts";
const NOTIFIER = "02-work-queues/notifier.ts";
const ORDER = { item: "book", quantity: 2, phone: "+49 30 123456" };

/** Sends a request. Returns the status, the headers, the body, and the time in milliseconds. */
async function send(url: string, content: unknown, path = "/orders") {
  const start = performance.now();
  const body = typeof content === "string" ? content : JSON.stringify(content);
  const response = await fetch(url + path, { method: "POST", body });
  const { id, error } = JSON.parse(await response.text());
  const { status, headers } = response;
  return { status, headers, id, error, time: performance.now() - start };
}

/** Waits until an order service listens, and returns its address. */
async function addressOf(service: Program): Promise<string> {
  await service.prints(/^\[\*\] Listening on http:\/\/localhost:\d+$/);
  return service.stdout.at(-1)?.split(" ").at(-1) ?? "";
}

/** Waits until an order is accepted, which takes at most three seconds. */
function accepts(url: string): Promise<void> {
  const accepted = async () => expect((await send(url, ORDER)).status).toBe(201);
  return vi.waitFor(accepted, { timeout: 3000, interval: 50 });
}

/** Publishes to the queue of the notifier. */
function publish(url: string, content: unknown, messageId: string = randomUUID()) {
  return onChannel(url, async (channel) => {
    const json = Buffer.from(JSON.stringify(content));
    channel.sendToQueue("notifications", json, { messageId });
    await channel.waitForConfirms();
  });
}
const sms = (phone: string) => ({ orderId: "1", phone, text: "Hello" });

onEveryRuntime("orders", (test) => {
  test("an order is confirmed, and its SMS is sent", async ({ run, virtualHost }) => {
    const service = run(SERVICE, "--port", "0");
    const url = await addressOf(service);
    const { id } = await send(url, { ...ORDER, item: "\x1b[31m'" });
    const get = () => onChannel(virtualHost, (channel) => channel.get("notifications"));
    const properties = { contentType: "application/json", deliveryMode: 2 };
    expect(await get()).toMatchObject({ properties: { ...properties, messageId: id } });
    const notifier = run(NOTIFIER);
    await notifier.prints(/^\[x\] SMS to '\+49 30 123456': "Thank .* \\x1[bB]\[31m'"$/);
    expect([await service.stop(), await notifier.stop()]).toEqual([0, 0]);
    expect(await messagesIn(virtualHost, "notifications")).toBe(0);
    expect([...service.stderr, ...notifier.stderr]).toEqual([]);
  });

  test("an invalid request is answered with what is wrong", async ({ run }) => {
    const url = await addressOf(run(SERVICE, "--port", "0"));
    const invalid = async (content: unknown, status: number, error: RegExp) => {
      const answer = await send(url, content);
      expect([content, answer.status]).toEqual([content, status]);
      expect(answer.error).toMatch(error);
    };
    for (const text of ["{", ""]) await invalid(text, 400, /JSON/);
    for (const json of [null, [], 5, {}]) await invalid(json, 400, /^item must/);
    await invalid({ ...ORDER, item: "" }, 400, /^item must/);
    await invalid({ ...ORDER, phone: 5 }, 400, /^phone must/);
    for (const quantity of [0, -1, 1.5, "2", null, 1e300]) {
      await invalid(
        { ...ORDER, quantity },
        400,
        /^quantity must be a positive integer/,
      );
    }
    await invalid({ ...ORDER, item: "é".repeat(33_000) }, 413, /64 KiB/);
    await invalid("x".repeat(20_000_000), 413, /64 KiB/);
    expect((await send(url, { ...ORDER, item: "x".repeat(65_400) })).status).toBe(201);
    expect((await send(url, "x".repeat(20_000_000), "/order")).status).toBe(404);
    const { status, headers } = await fetch(`${url}/orders`);
    expect([status, headers.get("allow")]).toEqual([405, "POST"]);
  });

  test("the service answers what it has accepted before it ends", async ({ run }) => {
    const service = run(SERVICE, "--port", "0");
    const url = await addressOf(service);
    const agent = new Agent({ keepAlive: true }); // Leaves an idle connection open, too.
    const headers = { "content-length": JSON.stringify(ORDER).length };
    const order = request(`${url}/orders`, { method: "POST", agent, headers });
    order.write("{");
    const aborted = request(`${url}/orders`, { method: "POST", headers });
    aborted.on("error", () => {}).write("{");
    const [idle] = await once(request(url, { agent }).end(), "response");
    await once(idle.resume(), "end");
    aborted.destroy();
    service.signal("SIGTERM");
    await vi.waitFor(() => expect(send(url, ORDER)).rejects.toThrow()); // No more orders.
    service.signal("SIGINT");
    order.end(JSON.stringify(ORDER).slice(1));
    const [{ statusCode }] = await once(order, "response");
    await service.exits(0, 2);
    expect([statusCode, service.stderr]).toEqual([201, []]);
    agent.destroy();
  });

  test("the notifier finishes what it has begun before it ends", async ({ run, virtualHost }) => {
    const notifier = run(NOTIFIER, "--prefetch", "2");
    await notifier.prints(WAITING_FOR_MESSAGES);
    for (const i of [1, 2, 3, 4, 5]) await publish(virtualHost, sms(`+${i}`));
    for (const signal of ["SIGINT", "SIGINT", "SIGTERM"] as const) {
      notifier.signal(signal);
      await sleep(100); // Two signals at once may be delivered as one.
    }
    await notifier.exits(0, 6);
    const lines = ["[x] SMS to '+1': 'Hello'", "[x] SMS to '+2': 'Hello'"];
    expect([...notifier.stdout.slice(1).sort(), ...notifier.stderr]).toEqual(lines);
    expect(await messagesIn(virtualHost, "notifications")).toBe(3);
  });
});

testInTurn("an option that is wrong is answered with one line", async ({ run }) => {
  const wrong = "--port=abc --port=0.5 --port=70000 --port= --prot word".split(" ");
  const all = [...wrong.map((arg) => [SERVICE, arg]), [NOTIFIER, "--prefetch=0"]];
  for (const [script = "", arg = ""] of all) {
    const program = run(script, arg);
    await program.exits(1);
    expect(program.stderr.join("\n")).toMatch(/^\[!\] The only option is --.*$/);
  }
});

withOwnNode("orders in trouble", {}, (test, node) => {
  type Run = (script: string, ...args: string[]) => Program;
  async function runService(run: Run) {
    const service = run(SERVICE, "--port=0");
    return [service, await addressOf(service)] as const;
  }
  async function runNotifier(run: Run, prefetch = 10): Promise<Program> {
    const notifier = run(NOTIFIER, `--prefetch=${prefetch}`);
    await notifier.prints(WAITING_FOR_MESSAGES);
    return notifier;
  }
  const deleteQueue = (url: string) =>
    onChannel(url, (channel) => channel.deleteQueue("notifications"));

  test("what cannot be sent is dead-lettered, and holds nothing up", async ({ run, virtualHost }) => {
    const notifier = await runNotifier(run);
    await publish(virtualHost, sms("+49 000"));
    await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((i) => publish(virtualHost, sms(`+${i}`))),
    );
    await notifier.prints(/^\[x\] SMS to '\+\d'/, 8, 2);
    await publish(virtualHost, "\n\x1b[31m".repeat(50));
    await publish(virtualHost, { ...sms("+1"), text: undefined });
    await notifier.warns(/^\[!\] Dead-lettered: .*(orderId|text) must be a string/, 2);
    await notifier.warns("[!] Dead-lettered: 'Error: The gateway refuses +49 000'");
    expect([await notifier.stop(), notifier.stderr.length]).toEqual([0, 3]);
    expect(await messagesIn(virtualHost, "notifications.dead")).toBe(3);
    expect(await messagesIn(virtualHost, "notifications")).toBe(0);
  });

  test("a message that comes twice, or whose notifier dies", async ({ run, virtualHost }) => {
    const killed = await runNotifier(run);
    await publish(virtualHost, sms("+1"), "id");
    const ready = () => messagesIn(virtualHost, "notifications");
    await expect.poll(ready).toBe(0);
    killed.signal("SIGKILL");
    await killed.exits();
    const notifier = await runNotifier(run);
    await publish(virtualHost, sms("+1"), "id"); // While the first one is being sent.
    await notifier.prints(/SMS to '\+1'/);
    await publish(virtualHost, sms("+1"), "id"); // And afterwards.
    await publish(virtualHost, sms("+2"));
    await notifier.prints(/SMS to '\+2'/);
    expect([await notifier.stop(), await ready()]).toEqual([0, 0]);
    expect([killed.stdout.length, notifier.stdout.length]).toEqual([1, 3]);
  });

  test("the queue is deleted, full, or has other settings", async ({ run, runWith, virtualHost }) => {
    const notifier = await runNotifier(run);
    const [service, url] = await runService(run);
    await deleteQueue(virtualHost);
    await accepts(url);
    await notifier.prints(/SMS to/);
    expect(await notifier.stop()).toBe(0);
    await deleteQueue(virtualHost);
    const { status, headers } = await send(url, ORDER);
    expect([status, headers.get("retry-after")]).toEqual([503, "1"]);
    await accepts(url);

    const [on, vhost] = ["--vhost", new URL(virtualHost).pathname.slice(1)];
    const policy = '{"max-length":1,"overflow":"reject-publish"}';
    await node().control("set_policy", on, vhost, "full", "^notifications$", policy);
    const error = async () => (await send(url, ORDER)).error;
    await vi.waitFor(async () => expect(await error()).toBe("message nacked"), 5000);
    await node().control("clear_policy", on, vhost, "full");
    expect(await service.stop()).toBe(0);

    await deleteQueue(virtualHost);
    await onChannel(virtualHost, (channel) => channel.assertQueue("notifications"));
    const [refused, refusedUrl] = await runService(run);
    const env = { AMQP_URL: virtualHost.replace(":guest@", ":secret@") };
    const secret = runWith({ env }, SERVICE, "--port=0");
    await secret.warns(/^\[!\] Not connected: .*ACCESS.REFUSED/);
    await sleep(2500); // It tries again, and does not repeat itself.
    expect((await send(refusedUrl, ORDER)).status).toBe(503);
    expect(refused.stderr).toEqual([expect.stringMatching(/PRECONDITION/)]);
    expect(secret.stderr).toEqual([expect.not.stringContaining("secret")]);
    await deleteQueue(virtualHost);
    await accepts(refusedUrl);
    const second = run(SERVICE, `--port=${new URL(refusedUrl).port}`);
    await second.exits(1);
    expect(second.stderr.join("\n")).toMatch(/^\[!\] .*(EADDRINUSE|in use).*$/);
  });

  test("the broker is frozen", async ({ run }) => {
    const [[, url], [leaving, leavingUrl]] = [
      await runService(run),
      await runService(run),
    ];
    const [notifier, idle] = [await runNotifier(run, 2000), await runNotifier(run)];
    node().freeze();
    onTestFinished(() => node().unfreeze());
    const last = send(leavingUrl, ORDER);
    await sleep(200); // For the order to arrive.
    for (const program of [idle, leaving]) program.signal("SIGTERM");
    const orders = Array.from({ length: 1100 }, () => send(url, ORDER));
    await Promise.all([idle.exits(0, 6), leaving.exits(0, 6)]);
    const answers = await Promise.all([...orders, last]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(answers.filter(({ time }) => time > 4900).length).toBe(1001);
    const [, late] = await runService(run);
    node().unfreeze();
    await Promise.all([accepts(url), accepts(late)]);
    await notifier.prints(/SMS to/, 1003); // 503 means "not known": every one is sent.
  });

  test("the broker has an alarm", async ({ run }) => {
    const [, url] = await runService(run);
    onTestFinished(() => node().control("set_vm_memory_high_watermark", "0.6"));
    await node().control("set_vm_memory_high_watermark", "0.000001");
    while ((await send(url, ORDER)).status === 201);
    const { status, time } = await send(url, ORDER);
    expect([status, time < 1000]).toEqual([503, true]);
    await node().control("set_vm_memory_high_watermark", "0.6");
    await accepts(url);
  });

  test("the broker crashes: every order that was accepted is sent", async ({ run }) => {
    const [, url] = await runService(run);
    await sleep(2000); // A younger quorum queue may not survive.
    const accepted: string[] = [];
    const orders = Array.from({ length: 500 }, async (_, i) => {
      await sleep(i * 10);
      const { status } = await send(url, { ...ORDER, phone: `+${i}` });
      expect([201, 503]).toContain(status);
      if (status === 201) accepted.push(`+${i}`);
    });
    await sleep(1500);
    await node().crash(); // It is not there when these start:
    const [[early, earlyUrl], [leaving]] = [
      await runService(run),
      await runService(run),
    ];
    const notifier = run(NOTIFIER, "--prefetch=2000");
    expect(await leaving.stop()).toBe(0);
    expect((await send(earlyUrl, ORDER)).status).toBe(503);
    await node().start();
    await Promise.all([accepts(url), accepts(earlyUrl), ...orders]);
    await vi.waitFor(() => {
      const sent = new Set(notifier.stdout.map((line) => line.split("'")[1]));
      expect(accepted.filter((phone) => !sent.has(phone))).toEqual([]);
    }, 10_000);
    expect(accepted.length).toBeGreaterThan(50);
    expect(new Set(early.stderr).size).toBe(early.stderr.length); // No reason twice.
  });
});
