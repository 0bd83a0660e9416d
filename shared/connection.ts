/** Connects to RabbitMQ. https://amqp-node.github.io/amqplib/channel_api.html */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import * as amqplib from "amqplib";
import { type Address, brokerAddresses } from "./address.ts";
import { end, explain, fail, mayPass, messageOf, warn } from "./errors.ts";

process.stdout.on("error", ({ message }) => end(message)); // A full disk, for one.

/**
 * Connects to the broker at AMQP_URL or, if that lists several, to the first that
 * accepts the connection. Any later error ends the script with exit code 1.
 *
 * @returns amqplib's connection; if no broker accepts one, the script ends instead
 */
export async function connect(): Promise<amqplib.ChannelModel> {
  process.on("uncaughtException", fail).on("unhandledRejection", fail);
  const { connection, where, failures } = await openFirst(brokerAddresses());
  return (connection ?? end(...failures)).on("close", (error) => {
    const advice = "Run it again. In a cluster, most nodes must be running.";
    if (error && !mayPass(error)) fail(error);
    if (error) end(`Lost ${where}: ${messageOf(error)}. ${advice}`);
  });
}

/**
 * Connects to the broker at AMQP_URL and stays connected until Ctrl-C or SIGTERM, which
 * end the script with exit code 0. After a loss, it tries each address once a second.
 * What that cannot repair ends it with exit code 1. A script calls this or connect().
 * If the broker closes a channel without an "error" listener, amqplib closes both.
 *
 * @param setUp opens channels, declares and consumes; called after every connect
 */
export async function stayConnected(
  setUp: (connection: amqplib.ChannelModel) => Promise<void>,
): Promise<void> {
  const addresses = brokerAddresses();
  let current: amqplib.ChannelModel | undefined;
  let isLeaving = false;
  const reported = new Set<string>(); // Since the latest loss: once each is enough.
  function report(line: string): void {
    if (!reported.has(line)) warn(line);
    reported.add(line);
  }
  function failed(error: unknown): void {
    if (isLeaving) return;
    if (!(error instanceof amqplib.IllegalOperationError)) fail(error);
    report("The channel is closed. RabbitMQ redelivers what was not acknowledged.");
  }
  async function leave(): Promise<void> { // RabbitMQ requeues unacknowledged messages.
    if (isLeaving) return; // npx and tsx may pass on the same Ctrl-C again.
    isLeaving = true;
    await sleep(10); // The latest acknowledgements are sent first.
    await Promise.race([current?.close(), sleep(1000)]).catch(() => {});
    process.exit(0);
  }
  process.on("uncaughtException", failed).on("unhandledRejection", failed);
  process.on("SIGINT", leave).on("SIGTERM", leave);
  for (; !isLeaving; await sleep(1000)) {
    const { connection, where, failures, isHopeless } = await openFirst(addresses);
    if (!connection) {
      if (reported.size === 0 || isHopeless) end(...failures);
      // While a broker restarts, it is no news that nothing is listening.
      failures.filter((line) => !line.includes("nothing is listening")).forEach(report);
      continue;
    }
    current = connection;
    let isOpen = true;
    const closed = new Promise<unknown>((resolve) => connection.on("close", resolve));
    closed.then(() => isOpen = false);
    // It may be closed during the set-up, even in one packet with the last reply. An
    // error of the set-up that is only a consequence comes before the end of closing.
    const ready = setUp(connection).catch(async (error) => {
      await Promise.race([closed, sleep(500)]);
      if (isOpen) fail(error);
    });
    await Promise.race([ready, closed]);
    const wasReady = isOpen;
    if (wasReady && reported.size > 0) warn(`Reconnected to ${where}`);
    const reason = await closed ?? "closed by the script, as for a cancelled consumer";
    if (isLeaving) return;
    if (!mayPass(reason)) fail(reason);
    if (wasReady) reported.clear();
    report(`Lost ${where}: ${messageOf(reason)}. Reconnecting ...`);
  }
}

/** Opens a connection to the first address that accepts one, or says why none does. */
async function openFirst(addresses: Address[]) {
  const connection_name = process.argv[1]?.split(/[\\/]/).slice(-2).join("/");
  const failures: string[] = [];
  let isHopeless = true;
  for (const { where, options } of addresses) {
    try {
      const connection = await amqplib.connect(options, {
        noDelay: true, // Nagle's algorithm would delay small frames by up to 40 ms.
        timeout: 3000, // For connecting, in milliseconds.
        clientProperties: { connection_name }, // For the management UI.
      });
      connection.on("error", () => {}); // "close" follows, with the same error.
      connection.on("blocked", (reason) => { // rabbitmq.com/docs/connection-blocked
        warn(`The broker does not accept messages: ${reason}. Waiting ...`);
      });
      connection.on("unblocked", () => warn("The broker accepts messages again."));
      return { connection, where, failures, isHopeless: false };
    } catch (error) {
      failures.push(explain(error, where));
      isHopeless &&= /ACCESS_REFUSED|Expected ConnectionOpenOk/.test(String(error));
    }
  }
  return { where: "", failures, isHopeless };
}
