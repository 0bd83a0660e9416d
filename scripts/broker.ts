/**
 * Runs RabbitMQ for the lessons on this machine, until Ctrl-C: one node, or a cluster of three nodes. It keeps the
 * contents of durable queues in .rabbitmq/.
 *
 *     npm run broker
 *     npm run broker -- --nodes 3
 */
import { join, resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { clearInterval, setInterval } from "node:timers";
import { connect } from "amqplib";
import yargs from "yargs";
import { onStopSignal } from "../shared/shutdown.ts";
import { startCluster } from "./lib/cluster.ts";
import { root } from "./lib/program.ts";
import {
  accepts,
  findRabbitMQ,
  type RabbitMQNode,
  startNode,
} from "./lib/rabbitmq-node.ts";
import { announce, runningBrokers } from "./lib/running.ts";

const { _: [folderGiven], nodes: size, port, ui } = yargs(process.argv.slice(2))
  .strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage(
    "Usage: npm run broker -- [folder] [--nodes 3] [--port N] [--ui N]\n\n" +
      "Runs RabbitMQ on this machine until CTRL+C. The folder stores its data.",
  )
  .example("npm run broker", "runs it at the address that the lessons use")
  .example("npm run broker -- --nodes 3", "runs a cluster of three nodes")
  .option("nodes", { type: "number", default: 1, describe: "1, or 3 for a cluster" })
  .option("port", {
    type: "number",
    default: 5672,
    describe: "AMQP port; the other nodes use the next two",
  })
  .option("ui", {
    type: "number",
    default: 15672,
    describe: "Management UI port; the other nodes use the next two",
  })
  .check(({ _: [folder], nodes, port, ui }) => {
    if (nodes !== 1 && nodes !== 3) return "--nodes must be 1 or 3";
    if (!isPort(port) || !isPort(ui)) return "A port must be a number from 1 to 65535";
    if (!isPort(Math.max(port, ui) + nodes - 1)) {
      return "The ports of the other nodes must not exceed 65535";
    }
    if (Math.abs(port - ui) < nodes) {
      return "--port and --ui overlap";
    }
    return !/^\d+$/.test(`${folder}`) || `To set the port, use --port ${folder}`;
  })
  .demandCommand(0, 1).requiresArg(["nodes", "port", "ui"]).parseSync();

function isPort(n: number): boolean {
  return Number.isInteger(n) && n > 0 && n < 65_536;
}

/** How often to report a long wait, in milliseconds. */
const REPORT_INTERVAL = 5000;

const folder = folderGiven === undefined
  ? join(root, ".rabbitmq", ...size > 1 ? ["cluster"] : [])
  : resolve(String(folderGiven));
const indexes = [...Array(size).keys()];
const urls = indexes.map((i) => `amqp://localhost:${port + i}`);

/** The nodes, and how to stop them cleanly. */
let broker: { nodes: RabbitMQNode[]; stop(): Promise<void> } | undefined;
/** The indexes of the nodes that are running, and of those that are restarting. */
const running = new Set<number>();
const restarting = new Set<number>();
const stopping = new AbortController();
onStopSignal(
  () => stopping.abort(),
  () => broker?.nodes.forEach((node) => void node.crash()),
);
try {
  const programs = findRabbitMQ();
  if (!programs) {
    throw new Error("RabbitMQ is not installed. To install it: npm run setup");
  }
  await checkPorts();

  console.log(
    size > 1 ? `Starting a cluster of ${size} nodes ...` : "Starting RabbitMQ ...",
  );
  const { nodes } = broker = await reporting(startBroker(programs), describeWait);
  announce({ pid: process.pid, programs, nodes });
  printUsage(nodes);
  for (const i of indexes) void watch(i);
  stopping.signal.addEventListener("abort", async () => {
    console.log(size > 1 ? "Stopping the cluster ..." : "Stopping RabbitMQ ...");
    await leave(0);
  });
} catch (error) {
  if (stopping.signal.aborted) process.exit(0);
  console.error(`[!] ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

/** Starts one node, or three. */
async function startBroker(programs: string): Promise<NonNullable<typeof broker>> {
  const { signal } = stopping;
  const settings = { programs, folder, port, managementPort: ui, signal };
  if (size > 1) return await startCluster(settings);
  const node = await startNode(settings);
  return { nodes: [node], stop: node.stop };
}

/** Stops the nodes that are running, and ends the program. */
async function leave(exitCode: number): Promise<void> {
  if (broker) await reporting(broker.stop(), () => `${namesOf(running)} to stop`);
  process.exit(exitCode);
}

/** Prints what is running, and how to use it. */
function printUsage(nodes: RabbitMQNode[]): void {
  if (size > 1) {
    nodes.forEach((node, i) =>
      console.log(`Node ${i + 1}: ${urls[i]}, process ${node.pid()}`)
    );
    const others = indexes.slice(1).map((i) => ui + i).join(" and ");
    console.log(
      `The management UI: http://localhost:${ui}, also on ports ${others} (user guest, password guest)`,
    );
  } else {
    console.log(`RabbitMQ is listening on localhost:${port}.`);
    console.log(
      `The management UI: http://localhost:${ui} (user guest, password guest)`,
    );
  }
  if (size > 1 || port !== 5672) {
    console.log("To use it for the lessons, run this in the other terminals:");
    console.log(`export AMQP_URL=${urls}`);
  }
  console.log("To stop it, press CTRL+C");
}

/** Reports when a node stops unexpectedly. */
async function watch(i: number): Promise<void> {
  running.add(i);
  await broker?.nodes[i]?.ended();
  running.delete(i);
  if (stopping.signal.aborted) return;
  const consequence = [
    "No node is left.",
    "1 of 3 nodes is left, which is not a majority: quorum queues wait until another is back.",
    "The cluster continues with 2 of 3 nodes.",
  ][running.size];
  console.error(
    size > 1
      ? `[!] Node ${i + 1} has stopped. ${consequence}`
      : `[!] RabbitMQ has stopped unexpectedly. Its log is in ${join(folder, "log")}`,
  );
  await continueWithout(i);
}

/** Continues with one node fewer, unless it was the last one. */
async function continueWithout(i: number): Promise<void> {
  if (running.size + restarting.size === 0) return await leave(1);
  console.log(`To restart it, type ${i + 1} and press Enter`);
  readNumbers();
}

let reading = false;
/** Restarts the nodes whose numbers are typed. Called once a node has stopped: a background job that reads is suspended. */
function readNumbers(): void {
  if (reading) return;
  reading = true;
  createInterface({ input: process.stdin }).on("line", (line) => {
    for (const word of line.split(/\s+/).filter((word) => word)) {
      const i = indexes.find((i) => word === `${i + 1}`);
      if (i === undefined) console.log("Type the number of a node: 1, 2 or 3");
      else if (running.has(i)) console.log(`Node ${i + 1} is running.`);
      else if (!restarting.has(i)) void restart(i);
    }
  });
}

/** Restarts a node that has stopped. */
async function restart(i: number): Promise<void> {
  const node = broker?.nodes[i];
  if (!node || stopping.signal.aborted) return;
  console.log(`Restarting node ${i + 1} ...`);
  restarting.add(i);
  try {
    await reporting(
      node.start(),
      () =>
        running.size + restarting.size < 2
          ? `node ${i + 1}, which may need another node to be running`
          : `node ${i + 1} to start`,
    );
    restarting.delete(i);
    console.log(`Node ${i + 1} is back: process ${node.pid()}.`);
    void watch(i);
  } catch (error) {
    restarting.delete(i);
    if (stopping.signal.aborted) return;
    console.error(`[!] ${error instanceof Error ? error.message : error}`);
    await continueWithout(i);
  }
}

/** Names the nodes that do not accept connections yet. */
async function describeWait(): Promise<string> {
  const waiting = new Set<number>();
  for (const i of indexes) {
    if (!await accepts(port + i) || !await accepts(ui + i)) waiting.add(i);
  }
  return waiting.size > 0
    ? `${namesOf(waiting)} to accept connections`
    : "the management UI";
}

/** Names nodes: "node 2", "nodes 1 and 3". */
function namesOf(which: Set<number>): string {
  const numbers = [...which].sort().map((i) => String(i + 1));
  if (size === 1 || numbers.length === 0) return "RabbitMQ";
  if (numbers.length === 1) return `node ${numbers}`;
  return `nodes ${numbers.slice(0, -1).join(", ")} and ${numbers.at(-1)}`;
}

/** Waits for a promise, and reports every few seconds what it is waiting for. */
async function reporting<T>(
  work: Promise<T>,
  what: () => string | Promise<string>,
): Promise<T> {
  const timer = setInterval(
    async () => console.log(`Waiting for ${await what()} ...`),
    REPORT_INTERVAL,
  );
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** Ends the program, with advice, if a port that it needs is in use. */
async function checkPorts(): Promise<void> {
  if (await accepts(port)) {
    const other = await identifyBroker();
    if (!other) {
      throw new Error(
        `Port ${port} is in use by a program that does not respond like RabbitMQ.\n` +
          "[!] Stop that program, or set AMQP_URL to a broker elsewhere.",
      );
    }
    console.log(`${other.name} is already listening on port ${port}.`);
    for (const line of await adviceFor(other)) console.log(line);
    process.exit(size > 1 ? 1 : 0);
  }
  for (const i of indexes) {
    if (await accepts(port + i)) {
      throw new Error(
        `Port ${port + i}, for node ${
          i + 1
        }, is in use.\n[!] Use other ports: ${await onOtherPorts()}`,
      );
    }
    if (await accepts(ui + i)) {
      throw new Error(
        `Port ${
          ui + i
        }, for the management UI, is in use.\n[!] Use other ports: ${await onOtherPorts()}`,
      );
    }
  }
}

/** Advice for when a broker is already running. */
async function adviceFor({ guest }: { guest: boolean }): Promise<string[]> {
  const ours = runningBrokers().some(({ nodes }) =>
    nodes.some((node) => node.port === port)
  );
  const use = guest
    ? port === 5672
      ? "The lessons use it, unless you set AMQP_URL to another."
      : `To use it for the lessons: export AMQP_URL=amqp://localhost:${port}`
    : `To use it for the lessons: export AMQP_URL=amqp://user:password@localhost:${port}`;
  if (ours) {
    return [
      "npm run broker is running it in another terminal.",
      size > 1
        ? `Stop that one, or run this one beside it: ${await onOtherPorts()}`
        : use,
    ];
  }
  const missing = [
    ...await accepts(ui)
      ? []
      : [`the management UI (nothing is listening on port ${ui})`],
    "stopping and starting the broker",
    "npm run ctl",
  ];
  return [
    ...size > 1 ? [] : [
      use,
      `npm run broker did not start it, so these parts of the pages do not work: ${
        missing.join(", ")
      }.`,
    ],
    "To run one where everything works, stop this one first. If it is a service: sudo systemctl stop rabbitmq-server",
    `Or run one beside it: ${await onOtherPorts()}`,
  ];
}

/** The command that runs this on free ports, and the address for the lessons. */
async function onOtherPorts(): Promise<string> {
  let step = 1;
  const taken = async () => {
    for (const i of indexes) {
      if (await accepts(port + step + i) || await accepts(ui + step + i)) return true;
    }
    return false;
  };
  while (await taken()) step++;
  const options = [
    ...size > 1 ? [`--nodes ${size}`] : [],
    `--port ${port + step}`,
    `--ui ${ui + step}`,
  ];
  const AMQP_URL = urls.map((_, i) => `amqp://localhost:${port + step + i}`);
  return `npm run broker -- ${
    options.join(" ")
  }, and for the lessons: export AMQP_URL=${AMQP_URL}`;
}

/** The name and version of the broker on the port; undefined if it is not an AMQP broker. */
async function identifyBroker(): Promise<{ name: string; guest: boolean } | undefined> {
  try {
    const connection = await connect(`amqp://localhost:${port}`, { timeout: 3000 });
    const { product, version } = connection.connection.serverProperties;
    await connection.close();
    return { name: `${product} ${version}`, guest: true };
  } catch (error) {
    return String(error).includes("ACCESS_REFUSED")
      ? { name: "A RabbitMQ broker that rejects the user guest", guest: false }
      : undefined;
  }
}
