import { expect } from "vitest";
import { onEveryRuntime, test, WAITING_FOR_LOGS } from "./lib/lesson-test.ts";

const EMIT = "03-pubsub/emit-log.ts";
const RECEIVE = "03-pubsub/receive-logs.ts";

onEveryRuntime("03-pubsub", (test) => {
  test("every subscriber gets a copy", async ({ consume, run }) => {
    const subscribers = [await consume(RECEIVE), await consume(RECEIVE)];
    const emit = run(EMIT);
    await emit.exits(0);
    expect(emit.stdout).toEqual(["[x] Sent 'info: Hello World!'"]);
    for (const logs of subscribers) {
      await logs.prints("[x] 'info: Hello World!'");
      expect(await logs.stop()).toBe(0);
      expect(logs.stdout).toEqual([WAITING_FOR_LOGS, "[x] 'info: Hello World!'"]);
    }
    expect([emit, ...subscribers].flatMap(({ stderr }) => stderr)).toEqual([]);
  });
});

test("a late subscriber misses earlier messages", async ({ consume, run }) => {
  const early = await consume(RECEIVE);
  await run(EMIT, "missed").exits(0);
  await early.prints("[x] 'missed'");
  const late = await consume(RECEIVE);
  await run(EMIT, "please", "help").exits(0);
  await late.prints("[x] 'please help'");
  expect(late.stdout).toEqual([WAITING_FOR_LOGS, "[x] 'please help'"]);
});

test("without a subscriber, the producer reports that the message was dropped", async ({ run }) => {
  const emit = run(EMIT, "hello?");
  await emit.exits(0);
  expect(emit.stdout).toEqual(["[x] Sent 'hello?'"]);
  expect(emit.stderr).toEqual(["[!] No queue is bound: RabbitMQ dropped the message."]);
});
