/** Finds the programs of RabbitMQ on this machine. */
import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import process from "node:process";
import { end } from "../../shared/errors.ts";

/** Where packages install the programs that run as the current user. */
const PACKAGE_FOLDERS = [
  "/usr/lib/rabbitmq/bin", // Debian and Fedora.
  "/opt/homebrew/opt/rabbitmq/sbin", // Homebrew, on ARM and on Intel.
  "/usr/local/opt/rabbitmq/sbin",
];

/** Where packages install wrappers that change the user and discard the environment. */
const WRAPPER_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * Returns the folder of RabbitMQ's programs: $RABBITMQ_HOME/sbin if that is set, or else
 * one on PATH or of a package; undefined if RabbitMQ is not installed. Ends the program if
 * RABBITMQ_HOME does not contain it.
 */
export function findRabbitMQ(): string | undefined {
  const home = process.env.RABBITMQ_HOME;
  if (home) {
    const folder = resolve(home, "sbin");
    if (!hasServer(folder)) end(`No rabbitmq-server in RABBITMQ_HOME: ${folder}`);
    return folder;
  }
  const path = (process.env.PATH ?? "").split(delimiter);
  const onPath = path.filter((folder) => !WRAPPER_FOLDERS.includes(folder));
  return [...onPath, ...PACKAGE_FOLDERS].find(hasServer);
}

function hasServer(folder: string): boolean {
  return existsSync(join(folder, "rabbitmq-server"));
}
