/** The running brokers of `npm run broker`, for `npm run ctl`: each has a small file while it is running. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { runAfterExit } from "./clean-up.ts";
import { root } from "./program.ts";

const folder = join(root, ".rabbitmq", "running");

/** A running broker. */
export interface RunningBroker {
  /** The process id of `npm run broker`. */
  pid: number;
  /** The folder that contains rabbitmqctl. */
  programs: string;
  /** Its nodes, each with its AMQP port and the variables by which rabbitmqctl finds it. */
  nodes: { port: number; controlEnvironment: Record<string, string> }[];
}

/**
 * Registers a broker for {@linkcode runningBrokers} until this process ends, however it ends.
 *
 * @param broker the broker
 */
export function announce({ pid, programs, nodes }: RunningBroker): void {
  const file = join(folder, `${nodes[0]?.port}.json`);
  mkdirSync(folder, { recursive: true });
  runAfterExit(`rm -f '${file.replaceAll("'", "'\\''")}'`);
  process.once("exit", () => rmSync(file, { force: true }));
  const text = JSON.stringify({
    pid,
    programs,
    nodes: nodes.map(({ port, controlEnvironment }) => ({ port, controlEnvironment })),
  });
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file); // Atomic: no reader sees half of the file.
}

/**
 * Lists the running brokers of `npm run broker`.
 *
 * @returns the brokers, sorted by port
 */
export function runningBrokers(): RunningBroker[] {
  const brokers: RunningBroker[] = [];
  for (const name of filesIn(folder)) {
    try {
      const broker: RunningBroker = JSON.parse(
        readFileSync(join(folder, name), "utf8"),
      );
      process.kill(broker.pid, 0); // Throws if the process does not exist.
      brokers.push(broker);
    } catch {
      // It has just ended, or the machine crashed.
    }
  }
  return brokers.sort((a, b) => (a.nodes[0]?.port ?? 0) - (b.nodes[0]?.port ?? 0));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".json"));
  } catch {
    return []; // No broker was ever started.
  }
}
