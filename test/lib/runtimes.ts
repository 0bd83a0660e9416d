/** The runtimes to test: tsx and Deno, or those in RUNTIMES, as in RUNTIMES=node,bun. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { type Runtime, runtimes } from "../../scripts/lib/program.ts";

export const runtimesToTest = (process.env.RUNTIMES || "tsx,deno").split(",").map(
  (name): Runtime => {
    if (name === "tsx" || name === "deno" || name === "node" || name === "bun") {
      return name;
    }
    throw new Error(`RUNTIMES=${name}: it may contain tsx, deno, node and bun`);
  },
);

/** Checks that these runtimes are installed. @throws Error that says how to get them */
export function checkRuntimes(): void {
  for (const runtime of runtimesToTest) {
    const [program = ""] = runtimes[runtime].command;
    const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
    const [, major = 0, minor = 0] = /(\d+)\.(\d+)/.exec(stdout ?? "") ?? [];
    const isOld = runtime === "node" && Number(major) + Number(minor) / 100 < 22.18;
    if (status === 0 && !isOld) continue;
    throw new Error(
      `${runtime} is not installed${
        isOld ? ", or older than 22.18" : ""
      }. To fetch it ` +
        "for one run: npx --package node@24 --package bun -- npm test",
    );
  }
}
