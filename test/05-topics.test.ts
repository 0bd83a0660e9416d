import { expect } from "vitest";
import { onEveryRuntime, WAITING_FOR_LOGS } from "./lib/lesson-test.ts";

const [EMIT, RECEIVE] = ["05-topics/emit-log.ts", "05-topics/receive-logs.ts"];

/** Patterns, and the routing keys that they match. */
const cases: [patterns: string[], keys: string[]][] = [
  [["kern.*"], ["kern.critical"]],
  [["*.critical"], ["kern.critical"]],
  [["kern.#"], ["kern", "kern.critical", "kern.disk.full"]],
  [["#"], ["kern", "kern.critical", "kern.disk.full", "app.db.critical", ""]],
  [["*.*.critical", "kern"], ["app.db.critical", "kern"]],
  [["*.#.critical"], ["kern.critical", "app.db.critical"]],
  [["#.critical", "kern.*"], ["kern.critical", "app.db.critical"]],
];

onEveryRuntime("05-topics", (test) => {
  test("* matches exactly one word, # matches zero or more", async ({ run }) => {
    const consumers = cases.map(([patterns]) => run(RECEIVE, ...patterns));
    await Promise.all(consumers.map((logs) => logs.prints(WAITING_FOR_LOGS)));
    for (const key of cases[3]?.[1] ?? []) {
      const emit = run(EMIT, key, "message");
      await emit.exits(0);
      expect(emit.stdout).toEqual([`[x] Sent ${key}: 'message'`]);
      expect(emit.stderr).toEqual([]);
    }
    for (const [i, logs] of consumers.entries()) {
      const lines = cases[i]?.[1].map((key) => `[x] ${key}: 'message'`) ?? [];
      for (const line of lines) await logs.prints(line);
      expect(logs.stdout.slice(1).toSorted()).toEqual(lines.toSorted()); // Each exactly once.
    }
  });

  test("no pattern matches: the message is dropped; no pattern: the usage", async ({ run }) => {
    const [emit, none] = [run(EMIT), run(RECEIVE)];
    await emit.exits(0);
    expect(emit.stdout).toEqual(["[x] Sent anonymous.info: 'Hello World!'"]);
    expect(emit.stderr).toEqual([
      "[!] No binding matches 'anonymous.info': RabbitMQ dropped the message.",
    ]);
    await none.exits(1);
    expect(none.stderr).toEqual([`Usage: npx tsx ${RECEIVE} [binding_key]...`]);
  });
});
