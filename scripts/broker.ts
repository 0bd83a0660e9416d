/**
 * Runs RabbitMQ for the lessons, on this machine only, until Ctrl-C: one node, or a cluster of three. What is in durable
 * queues is kept in .rabbitmq/ for the next time.
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
import { onStopSignal } from "../shared/leaving.ts";
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
      "Runs RabbitMQ on this machine until CTRL+C, with its data in the folder.",
  )
  .example("npm run broker", "runs it where the lessons look for it")
  .example("npm run broker -- --nodes 3", "runs a cluster of three nodes")
  .option("nodes", { type: "number", default: 1, describe: "1, or 3 for a cluster" })
  .option("port", {
    type: "number",
    default: 5672,
    describe: "For AMQP; the next two for the other nodes",
  })
  .option("ui", {
    type: "number",
    default: 15672,
    describe: "For the management UI; the next two for the other nodes",
  })
  .check(({ _: [folder], nodes, port, ui }) => {
    if (nodes !== 1 && nodes !== 3) return "--nodes takes 1 or 3";
    if (!isPort(port) || !isPort(ui)) return "A port is a number from 1 to 65535";
    if (!isPort(Math.max(port, ui) + nodes - 1)) {
      return "The ports of the other nodes follow, up to 65535";
    }
    if (Math.abs(port - ui) < nodes) {
      return "--port and --ui give the same port to two things";
    }
    return !/^\d+$/.test(`${folder}`) || `If ${folder} is a port: --port ${folder}`;
  })
  .demandCommand(0, 1).requiresArg(["nodes", "port", "ui"]).parseSync();

function isPort(n: number): boolean {
  return Number.isInteger(n) && n > 0 && n < 65_536;
}

/** How often, in milliseconds, a long wait is explained. */
const PATIENCE = 5000;

const folder = folderGiven === undefined
  ? join(root, ".rabbitmq", ...size > 1 ? ["cluster"] : [])
  : resolve(String(folderGiven));
const indexes = [...Array(size).keys()];
const urls = indexes.map((i) => `amqp://localhost:${port + i}`);

/** What this command runs: its nodes, and how to end them in good order. */
let broker: { nodes: RabbitMQNode[]; stop(): Promise<void> } | undefined;
/** The nodes that run, and those that are being started again. */
const running = new Set<number>();
const coming = new Set<number>();
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
  await makeSureOfPorts();

  console.log(
    size > 1 ? `Starting a cluster of ${size} nodes ...` : "Starting RabbitMQ ...",
  );
  const { nodes } = broker = await explaining(startBroker(programs), whatIsNotUp);
  announce({ pid: process.pid, programs, nodes });
  introduce(nodes);
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

/** Ends what still runs, and the program. */
async function leave(exitCode: number): Promise<void> {
  if (broker) await explaining(broker.stop(), () => `${namesOf(running)} to end`);
  process.exit(exitCode);
}

/** Says what runs, and how to use it. */
function introduce(nodes: RabbitMQNode[]): void {
  if (size > 1) {
    nodes.forEach((node, i) =>
      console.log(`Node ${i + 1}: ${urls[i]}, process ${node.pid()}`)
    );
    const others = indexes.slice(1).map((i) => ui + i).join(" and ");
    console.log(
      `The management UI: http://localhost:${ui}, and on ${others} (user guest, password guest)`,
    );
  } else {
    console.log(`RabbitMQ listens on localhost:${port}.`);
    console.log(
      `Its management UI: http://localhost:${ui} (user guest, password guest)`,
    );
  }
  if (size > 1 || port !== 5672) {
    console.log("Tell the lessons where it is:");
    console.log(`export AMQP_URL=${urls}`);
  }
  console.log("To stop it press CTRL+C");
}

/** Reports the end of a node, if nobody has asked for it. */
async function watch(i: number): Promise<void> {
  running.add(i);
  await broker?.nodes[i]?.ended();
  running.delete(i);
  if (stopping.signal.aborted) return;
  const consequence = [
    "None is left.",
    "1 of 3 is left, which is no majority: quorum queues stand still until another is back.",
    "The cluster goes on with 2 of 3.",
  ][running.size];
  console.error(
    size > 1
      ? `[!] Node ${i + 1} has ended. ${consequence}`
      : `[!] RabbitMQ has ended by itself. Its log is in ${join(folder, "log")}`,
  );
  await afterTheLoss(i);
}

/** Goes on with a node less, unless it was the last. */
async function afterTheLoss(i: number): Promise<void> {
  if (running.size + coming.size === 0) return await leave(1);
  console.log(`To start it again type ${i + 1} and press Enter`);
  readNumbers();
}

let reading = false;
/** Starts the nodes whose numbers are typed. Not before one has ended: a job in the background may not read from its terminal. */
function readNumbers(): void {
  if (reading) return;
  reading = true;
  createInterface({ input: process.stdin }).on("line", (line) => {
    for (const word of line.split(/\s+/).filter((word) => word)) {
      const i = indexes.find((i) => word === `${i + 1}`);
      if (i === undefined) console.log("Type the number of a node: 1, 2 or 3");
      else if (running.has(i)) console.log(`Node ${i + 1} runs.`);
      else if (!coming.has(i)) void startAgain(i);
    }
  });
}

/** Brings a node back that has ended. */
async function startAgain(i: number): Promise<void> {
  const node = broker?.nodes[i];
  if (!node || stopping.signal.aborted) return;
  console.log(`Starting node ${i + 1} ...`);
  coming.add(i);
  try {
    await explaining(
      node.start(),
      () =>
        running.size + coming.size < 2
          ? `node ${i + 1}, which may need another node to start`
          : `node ${i + 1} to start`,
    );
    coming.delete(i);
    console.log(`Node ${i + 1} is back: process ${node.pid()}.`);
    void watch(i);
  } catch (error) {
    coming.delete(i);
    if (stopping.signal.aborted) return;
    console.error(`[!] ${error instanceof Error ? error.message : error}`);
    await afterTheLoss(i);
  }
}

/** Which nodes do not take connections yet. */
async function whatIsNotUp(): Promise<string> {
  const waiting = new Set<number>();
  for (const i of indexes) {
    if (!await accepts(port + i) || !await accepts(ui + i)) waiting.add(i);
  }
  return waiting.size > 0
    ? `${namesOf(waiting)} to take connections`
    : "the management UI";
}

/** Names nodes: "node 2", "nodes 1 and 3". */
function namesOf(which: Set<number>): string {
  const numbers = [...which].map((i) => String(i + 1));
  if (size === 1 || numbers.length === 0) return "RabbitMQ";
  if (numbers.length === 1) return `node ${numbers}`;
  return `nodes ${numbers.slice(0, -1).join(", ")} and ${numbers.at(-1)}`;
}

/** Waits for something, and says now and then what for. */
async function explaining<T>(
  work: Promise<T>,
  what: () => string | Promise<string>,
): Promise<T> {
  const timer = setInterval(
    async () => console.log(`Waiting for ${await what()} ...`),
    PATIENCE,
  );
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** Ends the program, with a way on, where something listens on a port that is needed. */
async function makeSureOfPorts(): Promise<void> {
  if (await accepts(port)) {
    const other = await whoAnswers();
    if (!other) {
      throw new Error(
        `Something other than RabbitMQ already listens on port ${port}.\n` +
          "[!] Stop it, or set AMQP_URL to a broker elsewhere.",
      );
    }
    console.log(`${other.name} already listens on port ${port}.`);
    for (const line of await waysOn(other)) console.log(line);
    process.exit(size > 1 ? 1 : 0);
  }
  for (const i of indexes) {
    if (await accepts(port + i)) {
      throw new Error(
        `Port ${port + i}, for node ${
          i + 1
        }, is taken.\n[!] Take others: ${await beside()}`,
      );
    }
    if (await accepts(ui + i)) {
      throw new Error(
        `Port ${
          ui + i
        }, for the management UI, is taken.\n[!] Take others: ${await beside()}`,
      );
    }
  }
}

/** What can be done with a broker that is there already, and what with one of ours. */
async function waysOn({ guest }: { guest: boolean }): Promise<string[]> {
  const ours = runningBrokers().some(({ nodes }) =>
    nodes.some((node) => node.port === port)
  );
  const use = guest
    ? port === 5672
      ? "The lessons use it, unless AMQP_URL names another."
      : `To use it for the lessons: export AMQP_URL=amqp://localhost:${port}`
    : `To use it for the lessons: export AMQP_URL=amqp://user:password@localhost:${port}`;
  if (ours) {
    return [
      "npm run broker runs it, in another terminal.",
      size > 1 ? `Stop that one, or run this beside it: ${await beside()}` : use,
    ];
  }
  const missing = [
    ...await accepts(ui) ? [] : [`the management UI (nothing listens on port ${ui})`],
    "stopping and starting the broker",
    "npm run ctl",
  ];
  return [
    ...size > 1 ? [] : [
      use,
      `npm run broker does not run it, so these steps of the pages do not work: ${
        missing.join(", ")
      }.`,
    ],
    "For one with which everything works, stop it and run this again. A service: sudo systemctl stop rabbitmq-server",
    `Or run one beside it: ${await beside()}`,
  ];
}

/** The command that runs this on ports that are free, and the address for the lessons. */
async function beside(): Promise<string> {
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
  }, and tell the lessons: export AMQP_URL=${AMQP_URL}`;
}

/** The name and the version of the broker on the port, or undefined if what is there does not speak AMQP. */
async function whoAnswers(): Promise<{ name: string; guest: boolean } | undefined> {
  try {
    const connection = await connect(`amqp://localhost:${port}`, { timeout: 3000 });
    const { product, version } = connection.connection.serverProperties;
    await connection.close();
    return { name: `${product} ${version}`, guest: true };
  } catch (error) {
    return String(error).includes("ACCESS_REFUSED")
      ? { name: "A RabbitMQ that refuses the user guest", guest: false }
      : undefined;
  }
}
