/**
 * Runs rabbitmqctl on the broker of `npm run broker`. https://www.rabbitmq.com/docs/man/rabbitmqctl.8
 *
 *     npm run ctl -- list_queues name messages_ready messages_unacknowledged
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import yargs from "yargs";
import { brokerAddresses, redact } from "../shared/broker-address.ts";
import { exitCodeOf, onStopSignal } from "../shared/shutdown.ts";
import { accepts, cleanEnvironment } from "./lib/rabbitmq-node.ts";
import { runningBrokers } from "./lib/running.ts";

const words = process.argv.slice(2);
if (words.length === 0 || (words.length === 1 && words[0] === "--help")) {
  yargs().version(false)
    .usage(
      "Usage: npm run ctl -- <command> [argument..]\n\n" +
        "Runs rabbitmqctl, with these arguments, on a broker that npm run broker\n" +
        "started: the one at AMQP_URL or, if that is not set, any. In a cluster, it\n" +
        "uses the first running node.",
    )
    .example("npm run ctl -- list_queues name messages_ready", "lists the queues")
    .example("npm run ctl -- help", "lists the commands of rabbitmqctl")
    .showHelp(words.length === 0 ? "error" : "log");
  process.exit(words.length === 0 ? 1 : 0);
}

try {
  process.exitCode = await runControl();
} catch (error) {
  console.error(`[!] ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

/** Runs rabbitmqctl, and returns its exit code. */
async function runControl(): Promise<number> {
  const [address] = brokerAddresses();
  const found = await findNode();
  if (!found) {
    throw new Error([
      `npm run ctl needs a broker that npm run broker started. None is running at ${
        redact(address)
      }.`,
      "[!] Start it: npm run broker. With Docker: docker compose exec rabbitmq rabbitmqctl …",
      "[!] For any other broker, run rabbitmqctl on its own machine, or use its management UI.",
    ].join("\n"));
  }
  const control = spawn(join(found.programs, "rabbitmqctl"), words, {
    env: { ...cleanEnvironment(), ...found.environment },
    stdio: "inherit",
  });
  onStopSignal((signal) => control.kill(signal), () => control.kill("SIGKILL"));
  const [code, signal] = await once(control, "exit");
  return code ?? exitCodeOf(signal);
}

/** Finds the first running node of the broker at AMQP_URL or, if it is not set, of any `npm run broker`. */
async function findNode() {
  const addresses = brokerAddresses();
  const isOurs = (port: number) =>
    addresses.some((address) =>
      /^(localhost|127\.0\.0\.1|\[::1\])$/.test(address.hostname) &&
      Number(address.port || 5672) === port
    );
  const brokers = runningBrokers();
  const broker = brokers.find(({ nodes }) => nodes.some(({ port }) => isOurs(port))) ??
    (addresses[0].href === "amqp://localhost" ? brokers[0] : undefined);
  for (const { port, controlEnvironment } of broker?.nodes ?? []) {
    if (broker && await accepts(port)) {
      return { programs: broker.programs, environment: controlEnvironment };
    }
  }
  return undefined;
}
