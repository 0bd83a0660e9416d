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
import { root } from "./lib/program.ts";
import { findRabbitMQ } from "./lib/rabbitmq-node.ts";

yargs(process.argv.slice(2)).locale("en").strict().version(false).usage(
  "Usage: npm run setup\n\n" +
    "Installs RabbitMQ with apt-get, dnf or Homebrew, unless it is installed or\n" +
    "AMQP_URL is set. It prints each command before running it.",
).parseSync();

/** How each package manager installs RabbitMQ. */
const managers = {
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

/** Runs the commands of the first package manager that is installed. */
function install(): void {
  const has = (program: string) => !spawnSync(program, ["--version"]).error;
  const [manager, commands] = Object.entries(managers).find(([name]) => has(name)) ??
    end(
      "Found no apt-get, dnf or brew to install RabbitMQ with. You can:",
      "  install it yourself: https://www.rabbitmq.com/docs/download",
      "  use Docker: docker compose up --detach --wait, and set AMQP_URL=amqp://localhost",
    );
  const sudo = manager === "brew" || process.getuid?.() === 0 ? "" : "sudo ";
  for (const command of commands.map((command) => sudo + command)) {
    console.log(`$ ${command}`);
    const [program = "", ...args] = command.split(" ");
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const { status } = spawnSync(program, args, { stdio: "inherit", env });
    const asRoot = sudo && `. As root, run: ${commands.join(" && ")}`;
    if (status !== 0) end(`This command failed: ${command}${asRoot}`);
  }
}
