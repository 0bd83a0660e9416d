/**
 * Installs RabbitMQ with the machine's package manager, if it is missing. It prints each command before running it.
 * https://www.rabbitmq.com/docs/download
 *
 *     npm run setup
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { config } from "dotenv";
import yargs from "yargs";
import { root } from "./lib/program.ts";
import { findRabbitMQ } from "./lib/rabbitmq-node.ts";

yargs(process.argv.slice(2)).strict().usage(
  "Usage: npm run setup\n\n" +
    "Installs RabbitMQ with apt-get, dnf or Homebrew, unless it is already installed or\n" +
    "AMQP_URL is set. It prints each command before running it.",
).example("npm run setup", "installs RabbitMQ").parseSync();

/** How each package manager installs RabbitMQ, and whether it needs root. */
const managers = [
  {
    name: "apt-get",
    root: true,
    commands: [
      "apt-get update",
      "apt-get install --yes --no-install-recommends rabbitmq-server",
    ],
  },
  { name: "dnf", root: true, commands: ["dnf install --assumeyes rabbitmq-server"] },
  { name: "brew", root: false, commands: ["brew install rabbitmq"] },
];

try {
  config({ path: join(root, ".env"), quiet: true });
  const programs = findRabbitMQ();
  if (programs) {
    console.log(`RabbitMQ is installed in ${programs}: nothing to do.`);
  } else if (process.env.AMQP_URL) {
    console.log(
      "RabbitMQ is not installed, but AMQP_URL is set: nothing to do.",
    );
  } else {
    install();
    console.log(`RabbitMQ is installed in ${findRabbitMQ()}.`);
  }
} catch (error) {
  console.error(`[!] ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

/** Runs the commands of the first package manager that is installed. */
function install(): void {
  const has = (program: string) =>
    spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
  const manager = managers.find(({ name }) => has(name));
  if (!manager) {
    throw new Error([
      "Found no apt-get, dnf or brew to install RabbitMQ with. You can:",
      "[!]   install it yourself: https://www.rabbitmq.com/docs/download",
      "[!]   use Docker: docker compose up --detach --wait, and set AMQP_URL=amqp://localhost",
    ].join("\n"));
  }
  const asRoot = !manager.root || process.getuid?.() === 0 ? "" : "sudo ";
  if (asRoot && !has("sudo")) {
    throw new Error(
      `Installing RabbitMQ requires root. As root, run: ${
        manager.commands.join(" && ")
      }`,
    );
  }
  for (const command of manager.commands) {
    console.log(`$ ${asRoot}${command}`);
    const [program = "", ...args] = `${asRoot}${command}`.split(" ");
    const { status } = spawnSync(program, args, {
      stdio: "inherit",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
    if (status !== 0) throw new Error(`This command failed: ${asRoot}${command}`);
  }
  if (!findRabbitMQ()) {
    throw new Error(
      "The package is installed, but rabbitmq-server was not found.",
    );
  }
}
