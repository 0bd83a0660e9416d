/**
 * Runs RabbitMQ for the lessons, on this machine only, until Ctrl-C. What is in durable queues is kept in .rabbitmq/
 * for the next time.
 *
 *     npm run broker
 */
import { join } from "node:path";
import process from "node:process";
import { connect } from "amqplib";
import { root } from "./program.ts";
import { accepts, findRabbitMQ, startNode } from "./rabbitmq-node.ts";

const PORT = 5672;
const MANAGEMENT_PORT = 15672;

if (await accepts(PORT)) {
  const answer = await whoAnswers();
  console.log(`${answer ?? "Something that is no RabbitMQ"} already listens on port ${PORT}.`);
  console.log(answer ? "The lessons will use it." : "Stop it, or set AMQP_URL to a broker elsewhere.");
  process.exit(answer ? 0 : 1);
}

const stopping = new AbortController();
try {
  const programs = findRabbitMQ();
  if (!programs) throw new Error("RabbitMQ is not installed. To install it: npm run setup");
  if (await accepts(MANAGEMENT_PORT)) {
    throw new Error(`Port ${MANAGEMENT_PORT}, for the management UI, is taken.`);
  }

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(1); // The second time, at once.
      console.log("Stopping RabbitMQ ...");
      stopping.abort();
    });
  }
  console.log("Starting RabbitMQ ...");
  const node = await startNode({
    programs,
    folder: join(root, ".rabbitmq"),
    port: PORT,
    managementPort: MANAGEMENT_PORT,
    signal: stopping.signal,
  });
  stopping.signal.addEventListener("abort", async () => {
    await node.stop();
    process.exit(0);
  });
  console.log(
    `RabbitMQ listens on localhost:${PORT}; its management UI is http://localhost:${MANAGEMENT_PORT} (user`,
  );
  console.log("and password: guest). To stop it press CTRL+C");
  await node.ended();
  if (!stopping.signal.aborted) throw new Error("RabbitMQ has ended by itself. Its log is in .rabbitmq/log");
} catch (error) {
  if (stopping.signal.aborted) process.exit(0);
  console.error(`[!] ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

/** The name and the version of the broker on the port, or undefined if what is there does not speak AMQP. */
async function whoAnswers(): Promise<string | undefined> {
  try {
    const connection = await connect(`amqp://localhost:${PORT}`, { timeout: 3000 });
    const { product, version } = connection.connection.serverProperties;
    await connection.close();
    return `${product} ${version}`;
  } catch (error) {
    return String(error).includes("ACCESS_REFUSED") ? "A RabbitMQ that refuses the user guest" : undefined;
  }
}
