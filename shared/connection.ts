/**
 * Connects the lessons to RabbitMQ. They use the connection through amqplib's own API:
 * https://amqp-node.github.io/amqplib/channel_api.html
 */
import process from "node:process";
import * as amqplib from "amqplib";
import { brokerAddresses, connectOptions, redact } from "./broker-address.ts";
import { explainConnecting, isInternalError, mayBeTemporary } from "./explain.ts";
import { closeAndExit, exitCodeOf, onClosedOutput, onStopSignal } from "./shutdown.ts";
import { cannotWrite, connectionLost, exitWith } from "./reporting.ts";
import { fail, failWhenLost, state, warn } from "./reporting.ts";
import { watch } from "./watching.ts";

// noDelay: send small frames, such as acks, at once. timeout: for connecting, in milliseconds.
const SOCKET = { noDelay: true, timeout: 3000 };
/** How often to try to reconnect to a lost broker, in milliseconds. */
const RETRY_INTERVAL = 1000;
/** How long to retry a first set-up that fails with an internal error, in milliseconds. */
const SET_UP_TIMEOUT = 10_000;

process.on("uncaughtException", fail).on("unhandledRejection", fail);

/**
 * Connects to the broker at AMQP_URL or, if it holds several addresses, to the first broker that
 * accepts the connection. Any later failure, of the connection, a channel or an awaited call, is
 * reported on stderr and ends the script with exit code 1. Ctrl-C ends it with 130, SIGTERM with
 * 143.
 *
 * @returns amqplib's connection; if no broker accepts one, the script ends instead
 */
export async function connect(): Promise<amqplib.ChannelModel> {
  onStopSignal((signal) => process.exit(exitCodeOf(signal)), () => {});
  onClosedOutput(() => process.exit(0), cannotWrite);
  const failures: string[][] = [];
  for (state.address of brokerAddresses()) {
    try {
      const connection = await amqplib.connect(connectOptions(state.address), SOCKET);
      watch(connection, { closed: failWhenLost, lost: fail, failed: fail });
      return connection;
    } catch (error) {
      failures.push(explainConnecting(error, state.address));
    }
  }
  return exitWith(failures);
}

/**
 * Connects to the broker at AMQP_URL and stays connected until Ctrl-C or SIGTERM, which end the
 * script with exit code 0. If the connection, a channel or a consumer is lost, it reconnects,
 * trying each address in turn (https://github.com/amqp-node/amqplib#opt-in-recovery). A failure
 * that reconnecting cannot repair is reported on stderr and ends the script with exit code 1.
 *
 * @param setUp opens channels, declares and consumes; called again after every reconnect
 * @returns a promise that resolves after the first set-up
 */
export async function stayConnected(
  setUp: (connection: amqplib.ChannelModel) => Promise<void>,
): Promise<void> {
  const addresses = brokerAddresses();
  const target = connectOptions(state.address = addresses[0]);
  const delay = RETRY_INTERVAL / addresses.length;
  const started = Date.now();
  const failures: string[][] = [];
  let channels: amqplib.Channel[] = [];
  let isLost = false;
  let trouble: unknown;

  async function setup(connection: amqplib.ChannelModel): Promise<void> {
    trouble = undefined;
    if (isLost) warn(`Reconnected to ${redact(state.address)}`);
    isLost = false;
    const interrupted = new Promise<never>((_resolve, reject) => {
      channels = watch(connection, { closed: reject, lost: reject, failed: fail });
    });
    // Recovery covers connections only. If a channel or a consumer is lost, close the
    // connection: recovery then rebuilds everything, and RabbitMQ requeues messages.
    interrupted.catch((reason) => {
      trouble ??= reason;
      connection.close().catch(() => {});
    });
    const done = setUp(connection).catch((error) => trouble ?? fail(error));
    await Promise.race([done, interrupted]);
  }

  function tryAgain(reason: unknown): void {
    if (state.leaving) return;
    if (!mayBeTemporary(reason)) return fail(reason);
    if (state.recovering && !isLost) {
      warn(`${connectionLost(reason).message} Reconnecting ...`);
    }
    isLost = state.recovering;
    const next = (addresses.indexOf(state.address) + 1) % addresses.length;
    state.address = addresses[next] ?? addresses[0];
    Object.assign(target, connectOptions(state.address)); // Read by amqplib's next attempt.
  }

  const connection = await amqplib.connect(target, {
    ...SOCKET,
    recovery: { waitForConnect: false, initialDelay: delay, maxDelay: delay, setup },
  });
  connection.on("connect", () => state.recovering = true);
  connection.on("error", () => {}); // "disconnect" follows.
  connection.on("disconnect", (error) => tryAgain(trouble ?? error));
  connection.on("connect-failed", (error) => {
    if (!state.recovering) failures.push(explainConnecting(error, state.address));
    const canRetry = isInternalError(error) && Date.now() < started + SET_UP_TIMEOUT;
    const isLast = failures.length >= addresses.length && !canRetry;
    if (isLast && !state.recovering && !state.leaving) exitWith(failures);
    tryAgain(error);
  });

  const leave = () => {
    state.leaving = true;
    closeAndExit(...channels, connection);
  };
  onStopSignal(leave, () => process.exit(0));
  onClosedOutput(leave, cannotWrite);
  await connection.waitForConnect().catch(() => {}); // Rejects if the script is leaving.
}
