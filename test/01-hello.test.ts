import { expect } from "vitest";
import { messagesOn, onEveryRuntime, WAITING_FOR_MESSAGES } from "./lib/lesson-test.ts";

onEveryRuntime("01-hello", (test) => {
  test("a message waits in its queue until the consumer starts", async ({ run, virtualHost }) => {
    const send = run("01-hello/send.ts");
    await send.exits(0);
    expect(send.stdout).toEqual(["[x] Sent 'Hello World!'"]);
    expect(await messagesOn(virtualHost, "hello")).toBe(1);

    const receive = run("01-hello/receive.ts");
    await receive.prints("[x] Received 'Hello World!'");
    expect(await receive.stop()).toBe(0);
    expect(receive.stdout).toEqual([
      WAITING_FOR_MESSAGES,
      "[x] Received 'Hello World!'",
    ]);
    expect([...send.stderr, ...receive.stderr]).toEqual([]);
    expect(await messagesOn(virtualHost, "hello")).toBe(0);
  });

  test("the consumer may start first, and receives the messages in the order in which they were sent", async ({ run }) => {
    const receive = run("01-hello/receive.ts");
    await receive.prints(WAITING_FOR_MESSAGES);
    for (const word of ["one", "two", "three"]) {
      await run("01-hello/send.ts", word).exits(0);
    }
    await receive.prints("[x] Received 'three'");
    expect(receive.stdout.slice(1)).toEqual([
      "[x] Received 'one'",
      "[x] Received 'two'",
      "[x] Received 'three'",
    ]);
  });

  test("the words of a message arrive as typed", async ({ run }) => {
    const typed = [
      "007",
      "1e3",
      `it's "quoted"`,
      "two  spaces",
      "🐇",
      "-5",
      "--",
      "--not-an-option",
    ];
    const arrived = '`007 1e3 it\'s "quoted" two  spaces 🐇 -5 --not-an-option`';
    const send = run("01-hello/send.ts", ...typed);
    await send.exits(0);
    expect(send.stdout).toEqual([`[x] Sent ${arrived}`]);
    await run("01-hello/receive.ts").prints(`[x] Received ${arrived}`);
  });

  test("two consumers take turns, and each message goes to one of them", async ({ run, runTwo }) => {
    const consumers = await runTwo("01-hello/receive.ts", WAITING_FOR_MESSAGES);
    for (const n of ["1", "2", "3", "4"]) {
      await run("01-hello/send.ts", n).exits(0);
    }
    await Promise.all(consumers.map((receive) => receive.prints(/Received/, 2)));
    const received = consumers.flatMap((receive) => receive.stdout.slice(1)).sort();
    expect(received).toEqual(["1", "2", "3", "4"].map((n) => `[x] Received '${n}'`));
  });

  test("several consumers may start on a new queue at the same moment", async ({ run }) => {
    const consumers = [1, 2, 3, 4].map(() => run("01-hello/receive.ts"));
    await Promise.all(consumers.map((receive) => receive.prints(WAITING_FOR_MESSAGES)));
    await run("01-hello/send.ts", "to one of four").exits(0);
    await Promise.any(
      consumers.map((receive) => receive.prints("[x] Received 'to one of four'")),
    );
    for (const receive of consumers) expect(await receive.stop()).toBe(0);
    expect(consumers.flatMap(({ stderr }) => stderr)).toEqual([]);
  });

  test("it runs from any folder", async ({ runWith }) => {
    const send = runWith({ cwd: "/" }, "01-hello/send.ts");
    await send.exits(0);
  });
});
