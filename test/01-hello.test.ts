import { expect } from "vitest";
import { messagesIn } from "./lib/broker.ts";
import { onEveryRuntime, WAITING_FOR_MESSAGES } from "./lib/lesson-test.ts";

onEveryRuntime("01-hello", (test) => {
  test("a message waits in its queue until the consumer starts", async ({ run, virtualHost }) => {
    const send = run("01-hello/send.ts");
    await send.exits(0);
    expect(send.stdout).toEqual(["[x] Sent 'Hello World!'"]);
    expect(await messagesIn(virtualHost, "hello")).toBe(1);

    const receive = run("01-hello/receive.ts");
    await receive.prints("[x] Received 'Hello World!'");
    expect(await receive.stop()).toBe(0);
    expect(receive.stdout).toEqual([
      WAITING_FOR_MESSAGES,
      "[x] Received 'Hello World!'",
    ]);
    expect([...send.stderr, ...receive.stderr]).toEqual([]);
    expect(await messagesIn(virtualHost, "hello")).toBe(0);
  });

  test("the consumer starts first; the words of a message arrive as typed, in order", async ({ run, runWith }) => {
    const receive = run("01-hello/receive.ts");
    await receive.prints(WAITING_FOR_MESSAGES);
    const typed = ["007", "1e3", "two  spaces", "🐇", "-5", "--x", "please", "help"];
    await run("01-hello/send.ts", ...typed).exits(0);
    await runWith({ cwd: "/" }, "01-hello/send.ts", "it's", '"quoted"').exits(0);
    await receive.prints('[x] Received `it\'s "quoted"`');
    expect(receive.stdout[1]).toBe(
      "[x] Received '007 1e3 two  spaces 🐇 -5 --x please help'",
    );
  });

  test("two consumers take turns, and each message goes to one of them", async ({ run }) => {
    const consumers = [run("01-hello/receive.ts"), run("01-hello/receive.ts")];
    for (const receive of consumers) await receive.prints(WAITING_FOR_MESSAGES);
    const messages = ["1", "2", "3", "4"];
    for (const n of messages) await run("01-hello/send.ts", n).exits(0);
    await Promise.all(consumers.map((receive) => receive.prints(/Received/, 2)));
    const received = consumers.flatMap(({ stdout }) =>
      stdout.filter((line) => /Rec/.test(line))
    );
    expect(received.sort()).toEqual(messages.map((n) => `[x] Received '${n}'`));
  });
});
