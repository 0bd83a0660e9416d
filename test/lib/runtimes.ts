/** The runtimes that the lessons are tested with. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { type Runtime, runtimes } from "../../scripts/lib/program.ts";

/** The usual two, or those that RUNTIMES names: RUNTIMES=tsx,node,deno,bun. */
export const runtimesToTest = (process.env.RUNTIMES || "tsx,deno").split(",").map(
  (name): Runtime => {
    if (name === "tsx" || name === "deno" || name === "node" || name === "bun") {
      return name;
    }
    throw new Error(`RUNTIMES names ${name}, but there are tsx, node, deno and bun.`);
  },
);

/**
 * Makes sure that each of them is here.
 *
 * @returns a line that says which versions they are
 * @throws Error that says what is missing and where it comes from
 */
export function checkRuntimes(): string {
  const found = runtimesToTest.map((runtime) => {
    const [program = ""] = runtimes[runtime].command;
    const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
    const [version = "", major = 0, minor = 0] =
      /(\d+)\.(\d+)\.\d+/.exec(stdout ?? "") ?? [];
    if (!version) {
      throw new Error(
        `There is no ${program} to run. One for this run: npx --package bun -- npm test`,
      );
    }
    if (runtime === "node" && Number(major) + Number(minor) / 100 < 22.18) {
      throw new Error(
        `${program} is Node ${version}; without tsx it takes 22.18. One for this run: npx --package node@24 -- npm test`,
      );
    }
    return `${runtime === "tsx" ? "tsx on node" : runtime} ${version}`;
  });
  return found.join(", ");
}
