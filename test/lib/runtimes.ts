/** The runtimes for the tests in a file. */
import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { expect } from "vitest";
import type { Runtime } from "../../scripts/lib/program.ts";
import { chosenRuntimes, inTurn } from "./chosen-runtimes.ts";

/** All chosen runtimes, or the one whose turn it is. */
export const runtimesToTest = inTurn ? runtimeInTurn() : chosenRuntimes;

/** Deals the runtimes out to the files of tests, in alphabetical order. */
function runtimeInTurn(): Runtime[] {
  const { testPath = "" } = expect.getState();
  const files = readdirSync(dirname(testPath)).sort();
  const i = files.indexOf(basename(testPath)) % chosenRuntimes.length;
  return chosenRuntimes.slice(i, i + 1);
}

/**
 * Cycles through these runtimes, for what need not be repeated on each of them.
 *
 * @param i a non-negative integer
 * @returns one of the runtimes
 */
export function runtimeAt(i: number): Runtime {
  return runtimesToTest[i % runtimesToTest.length] ?? "tsx";
}
