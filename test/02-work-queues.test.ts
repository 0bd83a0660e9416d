import { expect } from "vitest";
import {
  messagesIn,
  onChannel,
  onEveryRuntime,
  WAITING_FOR_MESSAGES,
} from "./lib/lesson-test.ts";

onEveryRuntime("02-work-queues", (test) => {
  test("a worker does a task, a second for each dot, and acknowledges it", async ({ run, virtualHost }) => {
    const newTask = run("02-work-queues/new-task.ts", "a", "task.");
    await newTask.exits(0);
    expect(newTask.stdout).toEqual(["[x] Sent 'a task.'"]);
    const worker = run("02-work-queues/worker.ts");
    await worker.prints("[x] Received 'a task.'");
    const started = performance.now();
    await worker.prints("[x] Done");
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(await worker.stop()).toBe(0);
    expect(worker.stdout).toEqual([
      WAITING_FOR_MESSAGES,
      "[x] Received 'a task.'",
      "[x] Done",
    ]);
    expect([...newTask.stderr, ...worker.stderr]).toEqual([]);
    expect(await messagesIn(virtualHost, "task_queue")).toBe(0);
  });

  test("fair dispatch: a busy worker gets no other task", async ({ run }) => {
    const workers = [run("02-work-queues/worker.ts"), run("02-work-queues/worker.ts")];
    for (const worker of workers) await worker.prints(WAITING_FOR_MESSAGES);
    await run("02-work-queues/new-task.ts", "long..........").exits(0);
    await Promise.race(
      workers.map((worker) => worker.prints("[x] Received 'long..........'")),
    );
    const other = workers.find((worker) =>
      !worker.stdout.includes("[x] Received 'long..........'")
    );
    await run("02-work-queues/new-task.ts", "short", "--count", "5").exits(0);
    await other?.prints("[x] Done", 5);
    expect(workers.map((worker) => worker.stdout.includes("[x] Done")).sort()).toEqual([
      false,
      true,
    ]);
  });

  test("with --prefetch, a worker takes several tasks at once", async ({ run }) => {
    await run("02-work-queues/new-task.ts", "task...", "--count", "3").exits(0);
    const worker = run("02-work-queues/worker.ts", "--prefetch", "3");
    await worker.prints("[x] Received 'task...'", 3);
    expect(worker.stdout).not.toContain("[x] Done");
  });

  test("the task of a killed worker goes to another, which does it", async ({ run, virtualHost }) => {
    const workers = [run("02-work-queues/worker.ts"), run("02-work-queues/worker.ts")];
    for (const worker of workers) await worker.prints(WAITING_FOR_MESSAGES);
    await run("02-work-queues/new-task.ts", "precious..").exits(0);
    const received = workers.map((worker) =>
      worker.prints("[x] Received 'precious..'").then(() => worker)
    );
    const killed = await Promise.any(received);
    killed.signal("SIGKILL");
    const [survivor = killed] = workers.filter((worker) => worker !== killed);
    await survivor.prints("[x] Received 'precious..'");
    await survivor.warns("[!] Redelivered: it was not done");
    await survivor.prints("[x] Done");
    expect(killed.stdout).not.toContain("[x] Done");
    expect(await survivor.stop()).toBe(0);
    expect(await messagesIn(virtualHost, "task_queue")).toBe(0);
  });

  test("--count sends the task several times, confirmed and persistent", async ({ run, virtualHost }) => {
    const newTask = run("02-work-queues/new-task.ts", "again", "--count", "1200");
    await newTask.exits(0);
    expect(newTask.stdout).toEqual(Array(1200).fill("[x] Sent 'again'"));
    expect(await messagesIn(virtualHost, "task_queue")).toBe(1200);
    const message = await onChannel(
      virtualHost,
      (channel) => channel.get("task_queue", { noAck: true }),
    );
    expect(message && message.properties.deliveryMode).toBe(2);
  });
});
