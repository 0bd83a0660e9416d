import { expect } from "vitest";
import { messagesIn } from "./lib/broker.ts";
import { onEveryRuntime, test, WAITING_FOR_MESSAGES } from "./lib/lesson-test.ts";

const SEND = "01-hello/send.ts";
const RECEIVE = "01-hello/receive.ts";

onEveryRuntime("01-hello", (test) => {
  test("a message waits in its queue until the consumer starts", async ({ run, virtualHost }) => {
    const send = run(SEND);
    await send.exits(0);
    expect(send.stdout).toEqual(["[x] Sent 'Hello World!'"]);
    expect(await messagesIn(virtualHost, "hello")).toBe(1);

    const receive = run(RECEIVE);
    await receive.prints("[x] Received 'Hello World!'");
    expect(await receive.stop()).toBe(0);
    expect(receive.stdout).toEqual([
      WAITING_FOR_MESSAGES,
      "[x] Received 'Hello World!'",
    ]);
    expect([...send.stderr, ...receive.stderr]).toEqual([]);
    expect(await messagesIn(virtualHost, "hello")).toBe(0);
  });

  test("a message arrives as typed, from any folder, at a consumer that started first", async ({ consume, runWith }) => {
    const receive = await consume(RECEIVE);
    const typed = ["007", "1e3", "two  spaces", "🐇", "it's", "-5", "--x", "help"];
    await runWith({ cwd: "/" }, SEND, ...typed).exits(0);
    await receive.prints(`[x] Received "007 1e3 two  spaces 🐇 it's -5 --x help"`);
  });
});

test("two consumers take turns, and each message goes to one of them", async ({ consume, run }) => {
  const consumers = [await consume(RECEIVE), await consume(RECEIVE)];
  const messages = ["1", "2", "3", "4"];
  for (const n of messages) await run(SEND, n).exits(0);
  await Promise.all(consumers.map((receive) => receive.prints(/Received/, 2)));
  const received = consumers.flatMap(({ stdout }) => stdout.slice(1));
  expect(received.sort()).toEqual(messages.map((n) => `[x] Received '${n}'`));
});
