import { expect } from "vitest";
import { fails, onEveryRuntime, test, WAITING_FOR_LOGS } from "./lib/lesson-test.ts";

const EMIT = "05-topics/emit-log.ts";
const RECEIVE = "05-topics/receive-logs.ts";

onEveryRuntime("05-topics", (test) => {
  test("a consumer receives the keys that match its pattern, and no others", async ({ consume, run }) => {
    const logs = await consume(RECEIVE, "kern.*");
    const other = run(EMIT);
    await other.exits(0);
    expect(other.stdout).toEqual(["[x] Sent anonymous.info: 'Hello World!'"]);
    expect(other.stderr).toEqual([
      "[!] No binding matches 'anonymous.info': RabbitMQ dropped the message.",
    ]);
    await run(EMIT, "kern.critical", "A kernel", "error").exits(0);
    await logs.prints("[x] kern.critical: 'A kernel error'");
    expect(await logs.stop()).toBe(0);
    expect(logs.stdout).toHaveLength(2);
    expect(logs.stderr).toEqual([]);
  });
});

/** Patterns, and the routing keys that they match. */
const cases: { patterns: string[]; keys: string[] }[] = [
  { patterns: ["kern.*"], keys: ["kern.critical"] },
  { patterns: ["*.critical"], keys: ["kern.critical"] },
  { patterns: ["kern.#"], keys: ["kern", "kern.critical", "kern.disk.full"] },
  { patterns: ["*.*.critical", "kern"], keys: ["app.db.critical", "kern"] },
  { patterns: ["*.#.critical"], keys: ["kern.critical", "app.db.critical"] },
  { patterns: ["#.critical", "kern.*"], keys: ["kern.critical", "app.db.critical"] },
];
const allKeys = ["kern", "kern.critical", "kern.disk.full", "app.db.critical", ""];
cases.push({ patterns: ["#"], keys: allKeys });

test("* matches exactly one word, # matches zero or more; no key arrives twice", async ({ run }) => {
  const consumers = cases.map(({ patterns }) => run(RECEIVE, ...patterns));
  await Promise.all(consumers.map((logs) => logs.prints(WAITING_FOR_LOGS)));
  for (const key of allKeys) {
    const emit = run(EMIT, key, "message");
    await emit.exits(0);
    expect(emit.stdout).toEqual([`[x] Sent ${key}: 'message'`]);
    expect(emit.stderr).toEqual([]);
  }
  for (const [i, logs] of consumers.entries()) {
    const lines = cases[i]?.keys.map((key) => `[x] ${key}: 'message'`) ?? [];
    for (const line of lines) await logs.prints(line);
    expect(logs.stdout.slice(1).toSorted()).toEqual(lines.toSorted());
  }
});

test("without a pattern, the consumer prints its usage", async ({ run }) => {
  const line = `Usage: npx tsx ${RECEIVE} [binding_key]...`;
  expect(await fails(run(RECEIVE), line)).toEqual([]);
});
