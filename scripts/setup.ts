/**
 * npm run setup: installs RabbitMQ with the machine's package manager, if it is missing.
 * https://www.rabbitmq.com/docs/download
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { config } from "dotenv";
import yargs from "yargs";
import { end } from "../shared/errors.ts";
import { findRabbitMQ } from "./lib/find-rabbitmq.ts";
import { root } from "./lib/program.ts";

yargs(process.argv.slice(2)).locale("en").strict().version(false).usage(
  "Usage: npm run setup\n\n" +
    "Installs RabbitMQ with apt-get, dnf or Homebrew, unless it is installed or\n" +
    "AMQP_URL is set. It prints each command before running it.",
).parseSync();

/** How each package manager installs RabbitMQ. */
const managers: Record<string, string[]> = {
  "apt-get": [
    "apt-get update",
    "apt-get install --yes --no-install-recommends rabbitmq-server",
  ],
  dnf: ["dnf install --assumeyes rabbitmq-server"],
  brew: ["brew install rabbitmq"],
};

config({ path: join(root, ".env"), quiet: true });
const programs = findRabbitMQ();
if (programs) {
  console.log(`RabbitMQ is installed in ${programs}: nothing to do.`);
} else if (process.env.AMQP_URL) {
  console.log("RabbitMQ is not installed, but AMQP_URL is set: nothing to do.");
} else {
  install();
  const found = findRabbitMQ() ?? end("rabbitmq-server was not found afterwards.");
  console.log(`RabbitMQ is installed in ${found}.`);
}

/** Installs RabbitMQ with the first package manager that is there. */
function install(): void {
  const manager = Object.keys(managers).find((name) =>
    spawnSync(name, ["--version"]).error === undefined
  );
  if (!manager) {
    end(
      "Found no apt-get, dnf or brew to install RabbitMQ with. You can:",
      "  install it yourself: https://www.rabbitmq.com/docs/download",
      "  use Docker: docker compose up --detach --wait, and set AMQP_URL=amqp://localhost",
    );
  }
  const commands = managers[manager] ?? [];
  const needsSudo = manager !== "brew" && process.getuid?.() !== 0;
  const advice = needsSudo ? `. As root, run: ${commands.join(" && ")}` : "";
  for (const command of commands) {
    const line = needsSudo ? `sudo ${command}` : command;
    if (!isSuccessful(line)) end(`This command failed: ${line}${advice}`);
  }
}

/** Prints a command, runs it, and tells whether it has succeeded. */
function isSuccessful(command: string): boolean {
  console.log(`$ ${command}`);
  const [program = "", ...args] = command.split(" ");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(program, args, { stdio: "inherit", env }).status === 0;
}
