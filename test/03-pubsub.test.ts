import { expect } from "vitest";
import { onEveryRuntime, WAITING_FOR_LOGS } from "./lib/lesson-test.ts";

onEveryRuntime("03-pubsub", (test) => {
  test("every subscriber gets a copy; a late one misses earlier messages", async ({ run }) => {
    const subscribers = [
      run("03-pubsub/receive-logs.ts"),
      run("03-pubsub/receive-logs.ts"),
    ];
    for (const logs of subscribers) await logs.prints(WAITING_FOR_LOGS);
    const emit = run("03-pubsub/emit-log.ts");
    await emit.exits(0);
    expect(emit.stdout).toEqual(["[x] Sent 'info: Hello World!'"]);
    for (const logs of subscribers) await logs.prints("[x] 'info: Hello World!'");

    const late = run("03-pubsub/receive-logs.ts");
    await late.prints(WAITING_FOR_LOGS);
    await run("03-pubsub/emit-log.ts", "please", "help").exits(0);
    for (const logs of [...subscribers, late]) {
      await logs.prints("[x] 'please help'");
      expect(await logs.stop()).toBe(0);
    }
    expect(late.stdout).toEqual([WAITING_FOR_LOGS, "[x] 'please help'"]);
    expect(subscribers[0]?.stdout).toEqual(
      [WAITING_FOR_LOGS, "[x] 'info: Hello World!'", "[x] 'please help'"],
    );
    expect([emit, ...subscribers, late].flatMap(({ stderr }) => stderr)).toEqual([]);
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
