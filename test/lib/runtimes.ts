/** The runtimes to test: tsx and Deno, or those in RUNTIMES, as in RUNTIMES=node,bun. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { type Runtime, runtimes } from "../../scripts/lib/program.ts";

const names = (process.env.RUNTIMES || "tsx,deno").split(",");
export const runtimesToTest = names.filter((name): name is Runtime => name in runtimes);

/**
 * The runtime for what need not be repeated on all of them: tsx takes three times as long
 * to start as the others.
 */
export const quickRuntime: Runtime = runtimesToTest.find((name) => name !== "tsx") ??
  "tsx";

/** Checks that these runtimes are installed. @throws Error that says how to get them */
export function checkRuntimes(): void {
  if (runtimesToTest.length < names.length) {
    throw new Error(`RUNTIMES=${names}: it may contain tsx, deno, node and bun`);
  }
  for (const runtime of runtimesToTest) {
    const [program = ""] = runtimes[runtime].command;
    const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
    const [, major = 0, minor = 0] = /(\d+)\.(\d+)/.exec(stdout ?? "") ?? [];
    const isOld = runtime === "node" && Number(major) + Number(minor) / 100 < 22.18;
    if (status === 0 && !isOld) continue;
    const what = `not installed${isOld ? ", or older than 22.18" : ""}`;
    const fetch = "npx --package node@24 --package bun -- npm test";
    throw new Error(`${runtime} is ${what}. To fetch it for one run: ${fetch}`);
  }
}
