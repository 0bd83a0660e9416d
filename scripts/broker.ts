/**
 * Runs RabbitMQ for the lessons, on this machine only, until Ctrl-C. What is in durable queues is kept in .rabbitmq/
 * for the next time.
 *
 *     npm run broker
 */
import { join, resolve } from "node:path";
import process from "node:process";
import { connect } from "amqplib";
import yargs from "yargs";
import { onStopSignal } from "../shared/leaving.ts";
import { root } from "./lib/program.ts";
import {
  accepts,
  findRabbitMQ,
  type RabbitMQNode,
  startNode,
} from "./lib/rabbitmq-node.ts";

const { _: [folder = join(root, ".rabbitmq")], port, ui } = yargs(process.argv.slice(2))
  .strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npm run broker -- [folder] [--port N] [--ui N]\n\nRuns RabbitMQ here.")
  .example("npm run broker", "runs it where the lessons look for it")
  .option("port", { type: "number", default: 5672, describe: "For AMQP" })
  .option("ui", { type: "number", default: 15672, describe: "For the management UI" })
  .check(({ _: [folder], port, ui }) => {
    if (!isPort(port) || !isPort(ui)) return "A port is a number from 1 to 65535";
    return !/^\d+$/.test(`${folder}`) || `If ${folder} is a port: --port ${folder}`;
  })
  .demandCommand(0, 1).requiresArg(["port", "ui"]).parseSync();

function isPort(n: number): boolean {
  return Number.isInteger(n) && n > 0 && n < 65_536;
}

if (await accepts(port)) {
  const answer = await whoAnswers();
  console.log(
    `${answer ?? "Something other than RabbitMQ"} already listens on port ${port}.`,
  );
  console.log(
    answer
      ? "The lessons use it, unless AMQP_URL names another."
      : "Stop it, or set AMQP_URL to a broker elsewhere.",
  );
  process.exit(answer ? 0 : 1);
}

let node: RabbitMQNode | undefined;
const stopping = new AbortController();
onStopSignal(() => stopping.abort(), () => void node?.crash());
try {
  const programs = findRabbitMQ();
  if (!programs) {
    throw new Error("RabbitMQ is not installed. To install it: npm run setup");
  }
  if (await accepts(ui)) {
    throw new Error(`Port ${ui}, for the management UI, is taken.`);
  }

  console.log("Starting RabbitMQ ...");
  node = await startNode({
    programs,
    folder: resolve(String(folder)),
    port,
    managementPort: ui,
    signal: stopping.signal,
  });
  stopping.signal.addEventListener("abort", async () => {
    console.log("Stopping RabbitMQ ...");
    await node?.stop();
    process.exit(0);
  });
  console.log(`RabbitMQ listens on localhost:${port}.`);
  console.log(`Its management UI: http://localhost:${ui} (user guest, password guest)`);
  console.log("To stop it press CTRL+C");
  await node.ended();
  if (!stopping.signal.aborted) {
    await node.stop();
    throw new Error(
      `RabbitMQ has ended by itself. Its log is in ${join(String(folder), "log")}`,
    );
  }
} catch (error) {
  if (stopping.signal.aborted) process.exit(0);
  console.error(`[!] ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

/** The name and the version of the broker on the port, or undefined if what is there does not speak AMQP. */
async function whoAnswers(): Promise<string | undefined> {
  try {
    const connection = await connect(`amqp://localhost:${port}`, { timeout: 3000 });
    const { product, version } = connection.connection.serverProperties;
    await connection.close();
    return `${product} ${version}`;
  } catch (error) {
    return String(error).includes("ACCESS_REFUSED")
      ? "A RabbitMQ that refuses the user guest"
      : undefined;
  }
}
