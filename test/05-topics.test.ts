import { expect } from "vitest";
import { onEveryRuntime, WAITING_FOR_LOGS } from "./lib/lesson-test.ts";

/** The routing keys that each list of patterns matches. */
const cases = [
  { patterns: ["kern.*"], keys: ["kern.critical"] },
  { patterns: ["*.critical"], keys: ["kern.critical"] },
  { patterns: ["kern.#"], keys: ["kern", "kern.critical", "kern.disk.full"] },
  {
    patterns: ["#"],
    keys: ["kern", "kern.critical", "kern.disk.full", "app.db.critical", ""],
  },
  { patterns: ["*.*.critical", "kern"], keys: ["app.db.critical", "kern"] },
  { patterns: ["*.#.critical"], keys: ["kern.critical", "app.db.critical"] },
  { patterns: ["#.critical", "kern.*"], keys: ["kern.critical", "app.db.critical"] },
];
const allKeys = ["kern", "kern.critical", "kern.disk.full", "app.db.critical", ""];

onEveryRuntime("05-topics", (test) => {
  test("* matches exactly one word, # matches zero or more", async ({ run }) => {
    const consumers = cases.map(({ patterns }) =>
      run("05-topics/receive-logs.ts", ...patterns)
    );
    await Promise.all(consumers.map((logs) => logs.prints(WAITING_FOR_LOGS)));
    for (const key of allKeys) {
      const emit = run("05-topics/emit-log.ts", key, "message");
      await emit.exits(0);
      expect(emit.stdout).toEqual([`[x] Sent ${key}: 'message'`]);
      expect(emit.stderr).toEqual([]);
    }
    for (const [i, logs] of consumers.entries()) {
      const expected = cases[i]?.keys.map((key) => `[x] ${key}: 'message'`) ?? [];
      for (const line of expected) await logs.prints(line);
      expect(logs.stdout.slice(1).toSorted()).toEqual(expected.toSorted()); // Each exactly once.
    }
  });

  test("if no pattern matches, the producer reports that the message was dropped", async ({ run }) => {
    const logs = run("05-topics/receive-logs.ts", "kern.*");
    await logs.prints(WAITING_FOR_LOGS);
    const emit = run("05-topics/emit-log.ts");
    await emit.exits(0);
    expect(emit.stdout).toEqual(["[x] Sent anonymous.info: 'Hello World!'"]);
    expect(emit.stderr).toEqual([
      "[!] No binding matches 'anonymous.info': RabbitMQ dropped the message.",
    ]);
  });

  test("without a pattern, the consumer prints its usage", async ({ run }) => {
    const logs = run("05-topics/receive-logs.ts");
    await logs.exits(1);
    expect(logs.stderr).toEqual([
      "Usage: npx tsx 05-topics/receive-logs.ts [binding_key]...",
    ]);
  });
});
