import { expect } from "vitest";
import { onEveryRuntime, WAITING_FOR_LOGS } from "./lib/lesson-test.ts";

onEveryRuntime("03-pubsub", (test) => {
  test("every subscriber gets a copy", async ({ run, runTwo }) => {
    const subscribers = await runTwo("03-pubsub/receive-logs.ts", WAITING_FOR_LOGS);
    const emit = run("03-pubsub/emit-log.ts");
    await emit.exits(0);
    expect(emit.stdout).toEqual(["[x] Sent 'info: Hello World!'"]);
    expect(emit.stderr).toEqual([]);
    for (const logs of subscribers) {
      await logs.prints("[x] 'info: Hello World!'");
      expect(await logs.stop()).toBe(0);
      expect(logs.stdout).toEqual([WAITING_FOR_LOGS, "[x] 'info: Hello World!'"]);
      expect(logs.stderr).toEqual([]);
    }
  });

  test("a late subscriber misses earlier messages", async ({ run }) => {
    const early = run("03-pubsub/receive-logs.ts");
    await early.prints(WAITING_FOR_LOGS);
    await run("03-pubsub/emit-log.ts", "first").exits(0);
    await early.prints("[x] 'first'");
    const late = run("03-pubsub/receive-logs.ts");
    await late.prints(WAITING_FOR_LOGS);
    await run("03-pubsub/emit-log.ts", "second", "one").exits(0);
    await late.prints("[x] 'second one'");
    expect(late.stdout).toEqual([WAITING_FOR_LOGS, "[x] 'second one'"]);
  });

  test("without a subscriber, the producer reports that the message was dropped", async ({ run }) => {
    const emit = run("03-pubsub/emit-log.ts", "hello?");
    await emit.exits(0);
    expect(emit.stdout).toEqual(["[x] Sent 'hello?'"]);
    expect(emit.stderr).toEqual([
      "[!] No queue is bound: RabbitMQ dropped the message.",
    ]);
  });
});
