/** Which brokers `npm run broker` runs at the moment, for `npm run ctl`: a small file each, as long as it runs. */
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
import { afterTheEnd } from "./clean-up.ts";
import { root } from "./program.ts";

const folder = join(root, ".rabbitmq", "running");

/** A broker that runs. */
export interface RunningBroker {
  /** The process of the command that runs it. */
  pid: number;
  /** The folder that holds rabbitmqctl. */
  programs: string;
  /** Its nodes, each with its AMQP port and the environment in which rabbitmqctl finds it. */
  nodes: { port: number; controlEnvironment: Record<string, string> }[];
}

/**
 * Makes a broker known to {@linkcode runningBrokers} until this process ends, however it ends.
 *
 * @param broker the broker
 */
export function announce({ pid, programs, nodes }: RunningBroker): void {
  const file = join(folder, `${nodes[0]?.port}.json`);
  mkdirSync(folder, { recursive: true });
  afterTheEnd(`rm -f '${file.replaceAll("'", "'\\''")}'`);
  process.once("exit", () => rmSync(file, { force: true }));
  const text = JSON.stringify({
    pid,
    programs,
    nodes: nodes.map(({ port, controlEnvironment }) => ({ port, controlEnvironment })),
  });
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file); // So that nobody reads half of it.
}

/**
 * Looks up the brokers that `npm run broker` runs.
 *
 * @returns each of them, that with the lowest port first
 */
export function runningBrokers(): RunningBroker[] {
  const brokers: RunningBroker[] = [];
  for (const name of filesIn(folder)) {
    try {
      const broker: RunningBroker = JSON.parse(
        readFileSync(join(folder, name), "utf8"),
      );
      process.kill(broker.pid, 0); // Throws unless there is such a process.
      brokers.push(broker);
    } catch {
      // It has just ended, or the machine went down with it.
    }
  }
  return brokers.sort((a, b) => (a.nodes[0]?.port ?? 0) - (b.nodes[0]?.port ?? 0));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".json"));
  } catch {
    return []; // None was ever started.
  }
}
