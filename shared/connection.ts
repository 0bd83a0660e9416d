/**
 * Connects the lessons to RabbitMQ. What a lesson does with the connection is amqplib's own:
 * https://amqp-node.github.io/amqplib/channel_api.html
 */
import process from "node:process";
import * as amqplib from "amqplib";
import { brokerAddresses, connectOptions, redact } from "./broker-address.ts";
import { isInternalError, mayPass } from "./explain.ts";
import { closeAndExit, exitCodeOf, onClosedOutput, onStopSignal } from "./leaving.ts";
import { connectionLost, exitWith, fail, failWhenLost } from "./reporting.ts";
import { noConnection, state, warn } from "./reporting.ts";
import { watch } from "./watching.ts";

// noDelay: acknowledgements do not wait for more to send. timeout: ms, while connecting.
const SOCKET = { noDelay: true, timeout: 3000 };
/** How often, in milliseconds, a lost broker is asked whether it is back. */
const RETRY = 1000;
/** How long, in ms, a first set-up is repeated while a queue or a cluster is being formed. */
const FORMING = 10_000;

process.on("uncaughtException", fail).on("unhandledRejection", fail);

/**
 * Connects to the broker at AMQP_URL: to the first that answers, where it names several. A
 * failure from then on (of the connection, a channel, an awaited call) ends the script with
 * exit code 1 and a line on stderr; Ctrl-C ends it with 130, SIGTERM with 143.
 *
 * @returns amqplib's own connection. Where no broker answers, the script ends instead
 */
export async function connect(): Promise<amqplib.ChannelModel> {
  onStopSignal((signal) => process.exit(exitCodeOf(signal)), () => {});
  onClosedOutput(() => process.exit(0), fail);
  const failures: string[][] = [];
  for (state.address of brokerAddresses()) {
    try {
      const connection = await amqplib.connect(connectOptions(state.address), SOCKET);
      watch(connection, { closed: failWhenLost, lost: fail, failed: fail });
      return connection;
    } catch (error) {
      failures.push(noConnection(error));
    }
  }
  return exitWith(failures);
}

/**
 * Connects to the broker at AMQP_URL and stays connected until Ctrl-C or SIGTERM, which end
 * the script with exit code 0. When the connection, a channel or a consumer is lost, it is
 * back with the next address (https://github.com/amqp-node/amqplib#opt-in-recovery); what
 * trying again cannot mend ends the script with exit code 1 and a line on stderr.
 *
 * @param setUp opens channels, declares and consumes; it runs again after every reconnect
 * @returns when the first set-up is done
 */
export async function stayConnected(
  setUp: (connection: amqplib.ChannelModel) => Promise<void>,
): Promise<void> {
  const addresses = brokerAddresses();
  const target = connectOptions(state.address = addresses[0]);
  const delay = RETRY / addresses.length;
  const started = Date.now();
  const failures: string[][] = [];
  let channels: amqplib.Channel[] = [];
  let isLost = false;
  let trouble: unknown;

  async function setup(connection: amqplib.ChannelModel): Promise<void> {
    trouble = undefined;
    if (isLost) warn(`Back: connected to ${redact(state.address)}`);
    isLost = false;
    const interrupted = new Promise<never>((_resolve, reject) => {
      channels = watch(connection, { closed: reject, lost: reject, failed: fail });
    });
    // Recovery covers connections. So a lost channel or consumer closes its connection,
    // which also returns unacknowledged deliveries and deletes exclusive queues.
    interrupted.catch((reason) => {
      trouble ??= reason;
      connection.close().catch(() => {});
    });
    const done = setUp(connection).catch((error) => trouble ?? fail(error));
    await Promise.race([done, interrupted]);
  }

  function tryAgain(reason: unknown): void {
    if (state.leaving) return;
    if (!mayPass(reason)) return fail(reason);
    if (state.recovering && !isLost) {
      warn(`${connectionLost(reason).message} Reconnecting ...`);
    }
    isLost = state.recovering;
    const next = (addresses.indexOf(state.address) + 1) % addresses.length;
    state.address = addresses[next] ?? addresses[0];
    Object.assign(target, connectOptions(state.address)); // amqplib reads it when it tries.
  }

  const connection = await amqplib.connect(target, {
    ...SOCKET,
    recovery: { waitForConnect: false, initialDelay: delay, maxDelay: delay, setup },
  });
  connection.on("connect", () => state.recovering = true);
  connection.on("error", () => {}); // "disconnect" follows.
  connection.on("disconnect", (error) => tryAgain(trouble ?? error));
  connection.on("connect-failed", (error) => {
    if (!state.recovering) failures.push(noConnection(error));
    const isForming = isInternalError(error) && Date.now() < started + FORMING;
    const isLast = failures.length >= addresses.length && !isForming;
    if (isLast && !state.recovering && !state.leaving) exitWith(failures);
    tryAgain(error);
  });

  const leave = () => {
    state.leaving = true;
    closeAndExit(...channels, connection);
  };
  onStopSignal(leave, () => process.exit(0));
  onClosedOutput(leave, fail);
  await connection.waitForConnect().catch(() => {}); // Asked to leave before it was there.
}
