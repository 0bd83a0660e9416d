/**
 * npm run ctl: runs rabbitmqctl on the broker of npm run broker.
 * https://www.rabbitmq.com/docs/man/rabbitmqctl.8
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { brokerAddresses } from "../shared/address.ts";
import { end } from "../shared/errors.ts";
import { controlEnvironment } from "./lib/configuration.ts";
import { findRabbitMQ } from "./lib/find-rabbitmq.ts";
import { accepts, portsOf } from "./lib/ports.ts";
import { root } from "./lib/program.ts";
import { endWithUsage } from "./lib/usage.ts";

const words = process.argv.slice(2);
if (words.length === 0 || words[0] === "--help") {
  endWithUsage(
    "Usage: npm run ctl -- <command> [argument..]\n\n" +
      "Runs rabbitmqctl on the broker that npm run broker started, at AMQP_URL\n" +
      "(default: amqp://localhost). In a cluster, it uses the first running node.\n\n" +
      "  npm run ctl -- list_queues    lists the queues\n" +
      "  npm run ctl -- help           lists the commands",
    words[0] === "--help",
  );
}

const env = await findEnvironment();
const programs = findRabbitMQ() ?? end("RabbitMQ is not installed.");
const { status } = spawnSync(join(programs, "rabbitmqctl"), words, {
  env,
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(status ?? 1);

/** Returns the environment in which rabbitmqctl finds the first running node. */
async function findEnvironment(): Promise<Record<string, string | undefined>> {
  const addresses = brokerAddresses();
  for (const { options: { hostname = "", port = 5672 } } of addresses) {
    const { epmd } = portsOf(port);
    const isHere = /^(localhost|127\.0\.0\.1|::1)$/.test(hostname);
    if (!isHere || !await accepts(epmd)) continue;
    for (const node of [port, port + 1, port + 2]) {
      if (!await accepts(node)) continue;
      return controlEnvironment(join(root, ".rabbitmq"), node, epmd);
    }
  }
  return end(
    `npm run broker is not running at ${addresses[0].where}. Start it first.`,
    "With Docker: docker compose exec rabbitmq rabbitmqctl …",
    "For any other broker, run rabbitmqctl on its own machine.",
  );
}
