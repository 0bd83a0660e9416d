/** The ports of brokers and other servers that tests start. */
import process from "node:process";
import { areFree } from "../../scripts/lib/ports.ts";

/**
 * The AMQP ports from which each of vitest's workers takes its own, so that no two take the
 * same at once. Programs that look for a port themselves use others: scripts/lib/ports.ts.
 */
const firstPorts: Record<string, number> = {
  1: 11_000,
  2: 11_100,
  3: 11_200,
  4: 11_300,
};

/** How many files of tests run at once. They often wait: for a broker, or for a task. */
export const workers = Object.keys(firstPorts).length;

// https://vitest.dev/config/pool sets the number of the worker.
let nextPort = firstPorts[process.env.VITEST_POOL_ID ?? ""] ?? 11_400;

/**
 * Returns an AMQP port such that all ports of its node are free, another one for each call.
 * With a count, it is the first of consecutive ones.
 */
export async function freePort(count = 1): Promise<number> {
  const first = nextPort;
  nextPort += count;
  for (let port = first; port < nextPort; port++) {
    if (!await areFree(port)) return freePort(count);
  }
  return first;
}
