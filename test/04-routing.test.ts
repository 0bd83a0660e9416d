import { expect } from "vitest";
import { fails, onEveryRuntime, test, WAITING_FOR_LOGS } from "./lib/lesson-test.ts";

const EMIT = "04-routing/emit-log.ts";
const RECEIVE = "04-routing/receive-logs.ts";
const dropped = (key: string) =>
  `[!] No binding matches '${key}': RabbitMQ dropped the message.`;

onEveryRuntime("04-routing", (test) => {
  test("a consumer receives the severities it has named, and no others", async ({ consume, run }) => {
    const errors = await consume(RECEIVE, "error");
    const most = await consume(RECEIVE, "info", "error");
    const commands = [[], ["warning", "getting", "hot"], ["error", "disk full"]];
    const emits = commands.map((words) => run(EMIT, ...words));
    for (const emit of emits) await emit.exits(0);
    expect(emits.flatMap(({ stdout }) => stdout)).toEqual([
      "[x] Sent info: 'Hello World!'",
      "[x] Sent warning: 'getting hot'",
      "[x] Sent error: 'disk full'",
    ]);
    expect(emits.flatMap(({ stderr }) => stderr)).toEqual([dropped("warning")]);

    const info = "[x] info: 'Hello World!'";
    const error = "[x] error: 'disk full'";
    for (const line of [info, error]) await most.prints(line);
    await errors.prints(error);
    expect(errors.stdout).toEqual([WAITING_FOR_LOGS, error]);
    expect(most.stdout.toSorted()).toEqual([WAITING_FOR_LOGS, error, info]);
    expect([...errors.stderr, ...most.stderr]).toEqual([]);
  });

  test("a severity and a message are text, as typed", async ({ consume, run }) => {
    const logs = await consume(RECEIVE, "007", "--x");
    const seven = run(EMIT, "7", "no");
    await seven.exits(0);
    expect(seven.stderr).toEqual([dropped("7")]);
    await run(EMIT, "007", "please", "help").exits(0);
    await logs.prints("[x] 007: 'please help'");
    await run(EMIT, "--x", "--two  spaces", "-5").exits(0);
    await logs.prints("[x] --x: '--two  spaces -5'");
  });
});

test("without a severity, the consumer prints its usage", async ({ run }) => {
  const line = `Usage: npx tsx ${RECEIVE} [info] [warning] [error]`;
  expect(await fails(run(RECEIVE), line)).toEqual([]);
});
