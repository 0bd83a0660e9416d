/** `npm run bench`: that each figure can be measured, not how fast it is. */
import { expect, test } from "vitest";
import { runScript } from "../scripts/lib/program.ts";
import { untilTestEnds } from "./lib/lesson-test.ts";

test("npm run bench compares a script with bare amqplib", async () => {
  const options = ["--runs", "1", "--only", "deno"];
  const bench = untilTestEnds(runScript("tsx", "bench/bench.ts", options));
  await bench.exits(0, 100);
  const figure = "[\\d.]+ s, [\\d.]+ times bare amqplib \\(\\S+\\)$";
  expect(bench.stdout).toEqual([
    expect.stringMatching(RegExp(`^send.ts on deno: ${figure}`)),
    expect.stringMatching(RegExp(`^client.ts on deno: ${figure}`)),
  ]);
});
