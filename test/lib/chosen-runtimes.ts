/** Which runtimes to test: RUNTIMES and RUNTIMES_IN_TURN. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { type Runtime, runtimes } from "../../scripts/lib/program.ts";

/** tsx and Deno, or those in RUNTIMES, as in RUNTIMES=tsx,node,deno,bun. */
export const chosenRuntimes = (process.env.RUNTIMES || "tsx,deno").split(",").map(
  (name): Runtime => {
    if (name === "tsx" || name === "deno" || name === "node" || name === "bun") {
      return name;
    }
    throw new Error(
      `RUNTIMES contains ${name}. It may contain tsx, node, deno and bun.`,
    );
  },
);

/** Whether each file of tests runs on only one of them, in turn. */
export const inTurn = Boolean(process.env.RUNTIMES_IN_TURN);

/**
 * Checks that each of these runtimes is installed.
 *
 * @returns their names and versions, and whether they take turns
 * @throws Error that says which one is missing, and how to get it
 */
export function checkRuntimes(): string {
  const found = chosenRuntimes.map((runtime) => {
    const [program = ""] = runtimes[runtime].command;
    const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
    const [version = "", major = 0, minor = 0] =
      /(\d+)\.(\d+)\.\d+/.exec(stdout ?? "") ?? [];
    if (!version) {
      throw new Error(
        runtime === "bun"
          ? "bun was not found. To fetch it for this run: npx --package bun -- npm test"
          : `${program} was not found. Install Node 20.19 or later, and run npm ci.`,
      );
    }
    if (runtime === "node" && Number(major) + Number(minor) / 100 < 22.18) {
      throw new Error(
        `${program} is Node ${version}, but 22.18 is required without tsx. To fetch one for this run: npx --package node@24 -- npm test`,
      );
    }
    return `${runtime === "tsx" ? "tsx on node" : runtime} ${version}`;
  });
  return found.join(", ") + (inTurn ? ", each file on one of them in turn" : "");
}
