import { expect } from "vitest";
import { onEveryRuntime, WAITING_FOR_LOGS } from "./lib/lesson-test.ts";

onEveryRuntime("04-routing", (test) => {
  test("a consumer receives the severities it has named, and no others", async ({ run }) => {
    const errors = run("04-routing/receive-logs.ts", "error");
    const most = run("04-routing/receive-logs.ts", "info", "error");
    await errors.prints(WAITING_FOR_LOGS);
    await most.prints(WAITING_FOR_LOGS);

    const emits = [
      run("04-routing/emit-log.ts"),
      run("04-routing/emit-log.ts", "warning", "getting", "hot"),
      run("04-routing/emit-log.ts", "error", "disk full"),
    ];
    for (const emit of emits) await emit.exits(0);
    expect(emits.map((emit) => emit.stdout)).toEqual([
      ["[x] Sent info: 'Hello World!'"],
      ["[x] Sent warning: 'getting hot'"],
      ["[x] Sent error: 'disk full'"],
    ]);
    expect(emits.map((emit) => emit.stderr)).toEqual([
      [],
      ["[!] No binding matches 'warning': RabbitMQ dropped the message."],
      [],
    ]);

    await Promise.all(
      [errors, most].map((logs) => logs.prints("[x] error: 'disk full'")),
    );
    await most.prints("[x] info: 'Hello World!'");
    expect(errors.stdout).toEqual([
      WAITING_FOR_LOGS,
      "[x] error: 'disk full'",
    ]);
    expect(most.stdout.toSorted()).toEqual([
      WAITING_FOR_LOGS,
      "[x] error: 'disk full'",
      "[x] info: 'Hello World!'",
    ]);
    expect([...errors.stderr, ...most.stderr]).toEqual([]);
  });

  test("a severity is text, as typed: 007 is not 7", async ({ run }) => {
    const logs = run("04-routing/receive-logs.ts", "007", "--x");
    await logs.prints(WAITING_FOR_LOGS);
    const seven = run("04-routing/emit-log.ts", "7", "no");
    await seven.exits(0);
    expect(seven.stderr).toEqual([
      "[!] No binding matches '7': RabbitMQ dropped the message.",
    ]);
    await run("04-routing/emit-log.ts", "007", "please", "help").exits(0);
    await logs.prints("[x] 007: 'please help'");
    await run("04-routing/emit-log.ts", "--x", "--two  spaces", "-5").exits(0);
    await logs.prints("[x] --x: '--two  spaces -5'");
  });

  test("without a severity, the consumer prints its usage", async ({ run }) => {
    const logs = run("04-routing/receive-logs.ts");
    await logs.exits(1);
    expect(logs.stdout).toEqual([]);
    expect(logs.stderr).toEqual([
      "Usage: npx tsx 04-routing/receive-logs.ts [info] [warning] [error]",
    ]);
  });
});
