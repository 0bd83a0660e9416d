/** `npm run bench`: that each figure can be measured, not how fast it is. */
import { expect, test } from "vitest";
import { runScript } from "../scripts/lib/program.ts";
import { untilTestEnds } from "./lib/lesson-test.ts";

test("npm run bench prints its seven figures", async () => {
  const options = ["--runs", "1", "--count", "100"];
  const bench = untilTestEnds(runScript("tsx", "bench/bench.ts", options));
  await bench.exits(0, 100);
  expect(bench.stdout.map((line) => line.replace(/: [\d.,]+ /, ": "))).toEqual([
    "send.ts on tsx: s",
    "client.ts on tsx: s",
    "send.ts on deno: s",
    "client.ts on deno: s",
    "new-task.ts --count 100 on tsx: messages/s",
    "worker.ts --prefetch 100 on tsx: tasks/s",
    "client.ts, 10 calls at once, on tsx: calls/s",
  ].map((line) =>
    expect.stringMatching(RegExp(`^${line}, [\\d.]+ times bare amqplib `))
  ));
});
