/**
 * npm run broker: runs RabbitMQ for the lessons on this machine, until Ctrl-C. It keeps
 * the contents of durable queues in .rabbitmq/.
 */
import { join } from "node:path";
import process from "node:process";
import { connect } from "amqplib";
import { end, warn } from "../shared/errors.ts";
import { readOptions } from "../shared/options.ts";
import { stopSignal } from "./lib/clean-up.ts";
import { startCluster } from "./lib/cluster.ts";
import { findRabbitMQ } from "./lib/find-rabbitmq.ts";
import { accepts, portsOf } from "./lib/ports.ts";
import { root } from "./lib/program.ts";

const { nodes: size, port } = await readOptions(
  { nodes: 1, port: 5672 },
  "[--nodes 3] [--port 5672]",
);
if (size !== 1 && size !== 3) end("--nodes must be 1 or 3");

const isCluster = size > 1;
const ports = [port, port + 1, port + 2].slice(0, size);
const { ui } = portsOf(port);
const folder = join(root, ".rabbitmq");
const command = `npm run broker -- ${isCluster ? "--nodes 3 " : ""}--port`;
let left = size; // How many nodes are running.
const signal = stopSignal();
try {
  await checkPorts();
  const programs = findRabbitMQ() ??
    end("RabbitMQ is not installed. To install it: npm run setup");
  console.log(isCluster ? "Starting three nodes ..." : "Starting RabbitMQ ...");
  const { nodes, stop } = await startCluster({ programs, folder, port, signal }, size);
  signal.throwIfAborted();
  printUsage(nodes.map((node) => node.pid()));
  signal.addEventListener("abort", () => {
    console.log("Stopping RabbitMQ ...");
    void stop();
  });
  await Promise.all(nodes.map((node, i) => node.ended().then(() => reportEnd(i))));
  await stop(); // Also ends epmd.
  if (!signal.aborted) end(`RabbitMQ has stopped. Its log is in ${folder}`);
  process.exit(0);
} catch (error) {
  if (signal.aborted) process.exit(0);
  end(error instanceof Error ? error.message : String(error));
}

/** Prints what is running, and how to use it. */
function printUsage(pids: number[]): void {
  pids.forEach((pid, i) => {
    const name = isCluster ? `Node ${i + 1}` : "RabbitMQ";
    console.log(`${name}: amqp://localhost:${port + i}, process ${pid}`);
  });
  console.log(`Management UI: http://localhost:${ui} (user guest, password guest)`);
  if (isCluster || port !== 5672) {
    console.log("To use it for the lessons, run this in the other terminals:");
    console.log(`export AMQP_URL=${ports.map((n) => `amqp://localhost:${n}`)}`);
  }
  console.log("To stop it, press CTRL+C");
}

/** Says that one of three nodes has ended, although nobody has stopped it. */
function reportEnd(i: number): void {
  left--;
  if (signal.aborted || left === 0) return;
  const rest = left === 1
    ? "1 of 3 is left, which is not a majority: quorum queues wait."
    : "2 of 3 are left, which is a majority: quorum queues continue.";
  warn(`Node ${i + 1} has stopped. ${rest}`);
  console.log("To start it again, stop all with CTRL+C, and run the same command.");
}

/** Ends the program, in one line, if a port that it needs is in use. */
async function checkPorts(): Promise<void> {
  const all = ports.flatMap((amqp) => Object.values(portsOf(amqp)));
  for (const used of all) {
    if (!await accepts(used) && !await accepts(used, "::1")) continue;
    const what = await identify(used) ?? `Another program uses port ${used}.`;
    const free = port > 34_000 ? 5772 : port + 100;
    end(`${what} To run one beside it: ${command} ${free}`);
  }
}

/** Says which broker is on a port, if it is one, and how the lessons can use it. */
async function identify(port: number): Promise<string | undefined> {
  const url = `amqp://localhost:${port}`;
  try {
    const connection = await connect(url, { timeout: 3000 });
    const { product, version } = connection.connection.serverProperties;
    await connection.close();
    const how = port === 5672 ? "" : `, with AMQP_URL=${url}`;
    return `${product} ${version} is running on port ${port}: the lessons can use it${how}. ` +
      "If it is a service, sudo systemctl stop rabbitmq-server stops it.";
  } catch (error) {
    if (!String(error).includes("ACCESS_REFUSED")) return undefined;
    return `RabbitMQ is running on port ${port}, but refuses the user guest: ` +
      "the lessons can use it if AMQP_URL has a user and password.";
  }
}
