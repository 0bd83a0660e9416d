/** Connects to RabbitMQ. https://amqp-node.github.io/amqplib/channel_api.html */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import * as amqplib from "amqplib";
import { type Address, brokerAddresses } from "./address.ts";
import * as errors from "./errors.ts";

const CLOSED_BY_SCRIPT = "closed by the script, as for a cancelled consumer: " +
  "its queue was deleted, or a message was not acknowledged in time";
type Opened = { connection: amqplib.ChannelModel; where: string };
type Failure = { error: unknown; line: string };

/**
 * Connects to the broker at AMQP_URL or, if that lists several, to the first that
 * accepts the connection. Any later error ends the script with exit code 1.
 *
 * @returns amqplib's connection; if no broker accepts one, the script ends instead
 */
export async function connect(): Promise<amqplib.ChannelModel> {
  errors.endScriptOnErrors();
  const { connection, where } = await openOrEnd(brokerAddresses());
  connection.on("close", (error) => {
    if (!error) return; // The script has closed it.
    if (!errors.mayPass(error)) errors.fail(error);
    const lost = `Lost ${where}: ${errors.messageOf(error)}.`;
    errors.end(`${lost} Run it again. In a cluster, most nodes must be running.`);
  });
  return connection;
}

/**
 * Connects to the broker at AMQP_URL and stays connected until Ctrl-C or SIGTERM, which
 * end the script with exit code 0 (recipes/finish-first.ts first finishes its work).
 * After a loss, it tries all addresses until one accepts, with pauses of a second.
 * What that cannot repair ends it with exit code 1. A script calls this or connect().
 *
 * If the broker closes a channel that has no "error" listener, amqplib closes its
 * connection as well: then, too, all is set up again.
 *
 * @param setUp opens channels, declares and consumes; called after every connect
 */
export async function stayConnected(
  setUp: (connection: amqplib.ChannelModel) => Promise<void>,
): Promise<void> {
  errors.endScriptOnErrors();
  let opened: Opened | undefined;
  const leave = () => leaveBroker(opened?.connection);
  process.on("SIGINT", leave).on("SIGTERM", leave);

  const addresses = brokerAddresses();
  const said = new Set<string>(); // The trouble since all was well, no line twice.
  opened = await openOrEnd(addresses);
  for (;;) {
    const { connection, where } = opened;
    const closed = new Promise<unknown>((resolve) => connection.on("close", resolve));
    if (await succeeds(setUp(connection), closed)) {
      if (said.size > 0) errors.warn(`Reconnected to ${where}`);
      said.clear();
    }
    const reason = await closed ?? CLOSED_BY_SCRIPT;
    if (!errors.mayPass(reason)) errors.fail(reason);
    warnOnce(said, `Lost ${where}: ${errors.messageOf(reason)}. Reconnecting ...`);
    opened = await openAgain(addresses, said);
  }
}

/** Waits for the set-up. Returns false if the connection is closed before its end. */
async function succeeds(setUp: Promise<void>, closed: Promise<unknown>) {
  const isClosed = closed.then(() => true);
  try {
    // If the close arrives in one packet with the last reply, it must be noticed first.
    return !await Promise.race([isClosed, setUp.then(() => false)]);
  } catch (error) {
    // It is a mistake or, if the close is complete soon, only a consequence of that.
    if (!await Promise.race([isClosed, sleep(500, false)])) errors.fail(error);
    return false;
  }
}

/** Closes the connection, and ends the script. What is unacknowledged is requeued. */
async function leaveBroker(connection?: amqplib.ChannelModel): Promise<void> {
  connection?.removeAllListeners("close"); // From now on, a close is no loss.
  // close() overtakes the acknowledgements that amqplib has not sent yet. Opening a
  // channel takes a round trip, in which they are sent, and RabbitMQ needs a moment to
  // pass on more than 32. One that is given after that may be lost: the message comes
  // again. With a prefetch of 1, that is at most one.
  const closing = connection?.createChannel().then(() => sleep(100))
    .then(() => connection.close());
  await Promise.race([closing, sleep(1000)]).catch(() => {});
  process.exit(0);
}

/** Opens a connection, or ends the script with the reasons why no address accepts. */
async function openOrEnd(addresses: Address[]): Promise<Opened> {
  const result = await openFirst(addresses);
  if (!Array.isArray(result)) return result;
  return errors.end(...result.map(({ line }) => line));
}

/** Tries once a second, until one accepts, or all refuse the user or virtual host. */
async function openAgain(addresses: Address[], said: Set<string>): Promise<Opened> {
  for (;;) {
    await sleep(1000);
    const result = await openFirst(addresses);
    if (!Array.isArray(result)) return result;
    const isHopeless = result.every(({ error }) => errors.isRefusal(error));
    if (isHopeless) errors.end(...result.map(({ line }) => line));
    for (const { error, line } of result) {
      // While a broker restarts, it is no news that nothing is listening.
      if (!errors.isAbsence(error)) warnOnce(said, line);
    }
  }
}

/** Connects to the first address that accepts, or returns why each of them does not. */
async function openFirst(addresses: Address[]): Promise<Opened | Failure[]> {
  const connection_name = process.argv[1]?.split(/[\\/]/).slice(-2).join("/");
  const failures: Failure[] = [];
  for (const { where, options } of addresses) {
    try {
      const connection = await amqplib.connect(options, {
        noDelay: true, // Nagle's algorithm would delay small frames by up to 40 ms.
        timeout: 3000, // For connecting, in milliseconds.
        clientProperties: { connection_name }, // For the management UI.
      });
      connection.on("error", () => {}); // "close" follows, with the same error.
      connection.on("blocked", (reason) => { // rabbitmq.com/docs/connection-blocked
        errors.warn(`The broker does not accept messages: ${reason}. Waiting ...`);
      });
      connection.on(
        "unblocked",
        () => errors.warn("The broker accepts messages again."),
      );
      return { connection, where };
    } catch (error) {
      failures.push({ error, line: errors.explain(error, where) });
    }
  }
  return failures;
}

function warnOnce(said: Set<string>, line: string): void {
  if (!said.has(line)) errors.warn(line);
  said.add(line);
}
