import { expect } from "vitest";
import { messagesIn, onChannel } from "./lib/broker.ts";
import { count } from "./lib/consumers.ts";
import { onEveryRuntime, test, WAITING_FOR_MESSAGES } from "./lib/lesson-test.ts";

const NEW_TASK = "02-work-queues/new-task.ts";
const WORKER = "02-work-queues/worker.ts";

onEveryRuntime("02-work-queues", (test) => {
  test("a worker does a task, a second for each dot, and acknowledges it", async ({ run, virtualHost }) => {
    const newTask = run(NEW_TASK, "a", "task.");
    await newTask.exits(0);
    expect(newTask.stdout).toEqual(["[x] Sent 'a task.'"]);
    const worker = run(WORKER);
    await worker.prints("[x] Received 'a task.'");
    const started = performance.now();
    await worker.prints("[x] Done");
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(await worker.stop()).toBe(0);
    const lines = [WAITING_FOR_MESSAGES, "[x] Received 'a task.'", "[x] Done"];
    expect(worker.stdout).toEqual(lines);
    expect([...newTask.stderr, ...worker.stderr]).toEqual([]);
    expect(await messagesIn(virtualHost, "task_queue")).toBe(0);
  });

  test("--count sends the task several times, confirmed and persistent", async ({ run, virtualHost }) => {
    const newTask = run(NEW_TASK, "again", "--count", "1200");
    await newTask.exits(0);
    expect(newTask.stdout).toEqual(Array(1200).fill("[x] Sent 'again'"));
    await onChannel(virtualHost, async (channel) => {
      const message = await channel.get("task_queue", { noAck: true });
      expect(message && message.fields.messageCount).toBe(1199);
      expect(message && message.properties.deliveryMode).toBe(2);
    });
  });
});

test("fair dispatch: a busy worker gets no other task", async ({ consume, run }) => {
  const workers = [await consume(WORKER), await consume(WORKER)];
  await run(NEW_TASK, "long....................").exits(0);
  await Promise.race(workers.map((worker) => worker.prints(/Received 'long/)));
  const idle = workers.find((worker) => count(worker, /Received/) === 0);
  await run(NEW_TASK, "short", "--count", "5").exits(0);
  await idle?.prints("[x] Done", 5);
  expect(workers.map((worker) => count(worker, /Received/)).sort()).toEqual([1, 5]);
});

test("--prefetch 3 lets a busy worker have three tasks", async ({ consume, run }) => {
  await run(NEW_TASK, "task.........", "--count", "4").exits(0);
  const worker = await consume(WORKER, "--prefetch", "3");
  await worker.prints(/Received/, 3);
  expect(worker.stdout).not.toContain("[x] Done");
});

test("the task of a killed worker goes to another, which does it", async ({ consume, run, virtualHost }) => {
  const killed = await consume(WORKER);
  await run(NEW_TASK, "precious..").exits(0);
  await killed.prints("[x] Received 'precious..'");
  killed.signal("SIGKILL");
  const survivor = await consume(WORKER);
  await survivor.prints("[x] Received 'precious..'");
  await survivor.warns("[!] Redelivered: it may have been done before");
  await survivor.prints("[x] Done");
  expect(killed.stdout).not.toContain("[x] Done");
  expect(await survivor.stop()).toBe(0);
  expect(await messagesIn(virtualHost, "task_queue")).toBe(0);
});
