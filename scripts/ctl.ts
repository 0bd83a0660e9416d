/**
 * npm run ctl -- list_queues: runs rabbitmqctl on the broker of npm run broker, at
 * AMQP_URL (default: amqp://localhost). In a cluster, it uses the first running node.
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

const env = await findEnvironment();
const programs = findRabbitMQ() ?? end("RabbitMQ is not installed.");
const { status } = spawnSync(join(programs, "rabbitmqctl"), process.argv.slice(2), {
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
