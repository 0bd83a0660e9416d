import { expect } from "vitest";
import { onEveryRuntime, WAITING_FOR_LOGS } from "./lib/lesson-test.ts";

const [EMIT, RECEIVE] = ["04-routing/emit-log.ts", "04-routing/receive-logs.ts"];
const dropped = (key: string) => [
  `[!] No binding matches '${key}': RabbitMQ dropped the message.`,
];

onEveryRuntime("04-routing", (test) => {
  test("a consumer receives the severities it has named, and no others", async ({ run }) => {
    const [errors, most] = [run(RECEIVE, "error"), run(RECEIVE, "info", "error")];
    for (const logs of [errors, most]) await logs.prints(WAITING_FOR_LOGS);
    const all = [[], ["warning", "getting", "hot"], ["error", "disk full"]];
    const emits = all.map((words) => run(EMIT, ...words));
    for (const emit of emits) await emit.exits(0);
    expect(emits.flatMap(({ stdout }) => stdout)).toEqual([
      "[x] Sent info: 'Hello World!'",
      "[x] Sent warning: 'getting hot'",
      "[x] Sent error: 'disk full'",
    ]);
    expect(emits.flatMap(({ stderr }) => stderr)).toEqual(dropped("warning"));

    const [info, error] = ["[x] info: 'Hello World!'", "[x] error: 'disk full'"];
    for (const line of [info, error]) await most.prints(line);
    await errors.prints(error);
    expect(errors.stdout).toEqual([WAITING_FOR_LOGS, error]);
    expect(most.stdout.toSorted()).toEqual([WAITING_FOR_LOGS, error, info]);
    expect([...errors.stderr, ...most.stderr]).toEqual([]);
  });

  test("a severity is text, as typed; without one, the consumer prints its usage", async ({ run }) => {
    const logs = run(RECEIVE, "007", "--x");
    await logs.prints(WAITING_FOR_LOGS);
    const seven = run(EMIT, "7", "no");
    await seven.exits(0);
    expect(seven.stderr).toEqual(dropped("7"));
    await run(EMIT, "007", "please", "help").exits(0);
    await logs.prints("[x] 007: 'please help'");
    await run(EMIT, "--x", "--two  spaces", "-5").exits(0);
    await logs.prints("[x] --x: '--two  spaces -5'");
    const none = run(RECEIVE);
    await none.exits(1);
    expect(none.stdout).toEqual([]);
    expect(none.stderr).toEqual([`Usage: npx tsx ${RECEIVE} [info] [warning] [error]`]);
  });
});
