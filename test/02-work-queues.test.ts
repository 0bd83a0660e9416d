import { expect } from "vitest";
import { messagesIn, onChannel } from "./lib/broker.ts";
import { count } from "./lib/consumers.ts";
import { onEveryRuntime, WAITING_FOR_MESSAGES } from "./lib/lesson-test.ts";

const [NEW_TASK, WORKER] = ["02-work-queues/new-task.ts", "02-work-queues/worker.ts"];

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

  test("fair dispatch: a busy worker gets no other task, unless --prefetch allows it", async ({ run }) => {
    const workers = [run(WORKER), run(WORKER)];
    for (const worker of workers) await worker.prints(WAITING_FOR_MESSAGES);
    await run(NEW_TASK, "long..........").exits(0);
    await Promise.race(workers.map((worker) => worker.prints(/Received 'long/)));
    const idle = workers.find((worker) => count(worker, /Received/) === 0);
    await run(NEW_TASK, "short", "--count", "5").exits(0);
    await idle?.prints("[x] Done", 5);
    expect(workers.map((worker) => count(worker, /Received/)).sort()).toEqual([1, 5]);

    for (const worker of workers) await worker.stop(); // The long task returns.
    await run(NEW_TASK, "task...", "--count", "2").exits(0);
    const greedy = run(WORKER, "--prefetch", "3");
    await greedy.prints(/Received/, 3);
    expect(greedy.stdout).not.toContain("[x] Done");
  });

  test("the task of a killed worker goes to another, which does it", async ({ run, virtualHost }) => {
    const workers = [run(WORKER), run(WORKER)];
    for (const worker of workers) await worker.prints(WAITING_FOR_MESSAGES);
    await run(NEW_TASK, "precious..").exits(0);
    const received = workers.map((worker) =>
      worker.prints("[x] Received 'precious..'").then(() => worker)
    );
    const killed = await Promise.any(received);
    killed.signal("SIGKILL");
    const [survivor = killed] = workers.filter((worker) => worker !== killed);
    await survivor.prints("[x] Received 'precious..'");
    await survivor.warns("[!] Redelivered: it may have been done before");
    await survivor.prints("[x] Done");
    expect(killed.stdout).not.toContain("[x] Done");
    expect(await survivor.stop()).toBe(0);
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
