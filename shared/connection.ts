/**
 * What every lesson needs and none is about: how to connect, how to leave, and how to say what went wrong.
 * Everything else in a lesson is amqplib's own: https://amqp-node.github.io/amqplib/channel_api.html
 */
import type { Buffer } from "node:buffer";
import type { EventEmitter } from "node:events";
import { existsSync } from "node:fs";
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  connect,
  IllegalOperationError,
} from "amqplib";

/** How long, in milliseconds, the broker may stay silent while a connection is being opened. */
const CONNECT_TIMEOUT = 3000;
/** How long, in milliseconds, closing a connection may take before the script ends anyway. */
const CLOSE_TIMEOUT = 1000;

/** A signal that comes so soon, in milliseconds, is the same Ctrl-C: npm and tsx pass it on to us, who had it already. */
const SAME_SIGNAL = 100;

/** When the script was asked to leave. What the closing of the connection breaks then is no failure. */
let leavingSince: number | undefined;

/**
 * For scripts that do a thing and leave: connects (or fails at once), hands over a channel on which the broker
 * confirms every message (https://www.rabbitmq.com/docs/confirms#publisher-confirms), and closes the connection.
 *
 * @param work what to do with the channel; the connection is closed when its promise resolves
 * @returns when the connection is closed. What goes wrong on the way (no broker, a connection lost, an error that
 *   `work` throws) is told on stderr and ends the script with exit code 1
 */
export async function withConfirmChannel(work: (channel: ConfirmChannel) => Promise<void>): Promise<void> {
  const address = await brokerAddress();
  leaveWhenAsked(async () => {}); // Nothing is unfinished that the broker should have back.
  try {
    const connection = await connect(address.href, { noDelay: true, timeout: CONNECT_TIMEOUT });
    connection.on("error", () => {}); // "close" follows, with the same reason.
    tellWhenBlocked(connection);
    const channel = await connection.createConfirmChannel();
    channel.on("handler-error", crash);
    // Work that waits for a broker which is gone would wait for ever. So a failure ends it, and says why.
    const failure = new Promise<never>((_resolve, reject) => {
      connection.on("close", (reason) => reject(new Error(`Lost ${masked(address)}: ${oneLine(reason)}.`)));
      channel.on("error", reject);
    });
    await Promise.race([work(channel), failure]);
    await close(channel, connection);
  } catch (error) {
    tell(error, address);
    process.exit(1);
  }
}

/**
 * For scripts that stay: connects (or fails at once) and stays connected until Ctrl-C or SIGTERM. When the connection,
 * the channel or a consumer is lost, amqplib's recovery connects again and the set-up runs again.
 * https://github.com/amqp-node/amqplib#opt-in-recovery
 *
 * @param setUp declares what the script needs and starts its consumers; it gets a new channel after every connect
 * @returns when the first set-up is done. What goes wrong then, or later for good, is told on stderr and ends the
 *   script with exit code 1. Asked to leave, it ends with 0, and unfinished deliveries go back to their queue
 */
export async function stayConnected(setUp: (channel: Channel) => Promise<void>): Promise<void> {
  const address = await brokerAddress();
  let channel: Channel | undefined;
  let trouble: unknown;
  try {
    const connection = await connect(address.href, {
      noDelay: true,
      timeout: CONNECT_TIMEOUT,
      recovery: {
        waitForConnect: false, // Below, when Ctrl-C works already.
        initialMaxRetries: 5, // Spent on nothing but the broker's own mishaps, see below.
        initialDelay: 500,
        maxDelay: 5000,
        async setup(model: ChannelModel) {
          let ready = false;
          trouble = undefined;
          // Recovery covers connections. A channel that the broker closed or a consumer that it cancelled becomes
          // its business by closing the connection, which gives back unfinished deliveries and exclusive queues too.
          const startOver = (reason: unknown) => {
            trouble ??= reason;
            if (ready) model.close().catch(() => {});
          };
          // Recovery listens for "close" when the set-up is done, and would miss one that comes with the last answer.
          model.on("error", (reason) => trouble ??= reason);
          model.on("close", (reason) => trouble ??= reason);
          channel = await model.createChannel();
          channel.on("error", startOver);
          channel.on("handler-error", crash);
          channel.on(
            "cancel",
            () => startOver(new Error("the queue was deleted, so RabbitMQ cancelled its consumer")),
          );
          await setUp(channel).catch((error) => {
            throw trouble ?? error; // What became of the channel says more than what that did to a call.
          });
          if (trouble) throw trouble;
          ready = true;
        },
      },
    });
    leaveWhenAsked(() => close(channel, connection));
    tellWhenBlocked(connection);
    let connected = false;
    connection.on("error", () => {}); // "disconnect" follows.
    connection.on("connect", () => {
      if (connected) warn(`Back: connected to ${masked(address)} again.`);
      connected = true;
    });
    connection.on("disconnect", (error) => {
      warn(`Lost ${masked(address)}: ${oneLine(trouble ?? error)}. Trying again until it is back ...`);
    });
    connection.on("connect-failed", (error) => {
      // Two consumers that come to a new quorum queue at the same moment can be one too many for RabbitMQ.
      const mishap = /INTERNAL.ERROR/.test(error.message);
      if (leavingSince || mishap || (connected && !isRefusal(error))) return;
      tell(error, address);
      process.exit(1);
    });
    await connection.waitForConnect();
  } catch (error) {
    if (leavingSince) return;
    tell(error, address);
    process.exit(1);
  }
}

/**
 * Text that came over the wire as Python's `%r` shows it: quoted, on one line, control characters escaped, so that no
 * message can drive the terminal. https://nodejs.org/api/util.html#utilinspectobject-options
 *
 * @param text a message's content, taken as UTF-8, or a string
 * @returns the quoted text; after 10,000 characters it says how many more there are
 */
export function quoted(text: Buffer | string): string {
  return inspect(text.toString(), { breakLength: Infinity });
}

/**
 * The same without the quotes, for a routing key.
 *
 * @param text a string that came over the wire
 * @returns the text on one line, control characters escaped
 */
export function escaped(text: string): string {
  return quoted(text).slice(1, -1);
}

/** The broker's address: AMQP_URL from the environment, else from .env at the root, else this machine. */
async function brokerAddress(): Promise<URL> {
  const path = fileURLToPath(new URL("../.env", import.meta.url));
  let text = process.env.AMQP_URL;
  if (!text && existsSync(path)) {
    const { config } = await import("dotenv"); // Loaded where it is needed: a launch is mostly loading.
    text = config({ path, quiet: true, processEnv: {} }).parsed?.AMQP_URL;
  }
  text ||= "amqp://localhost";
  if (/^amqps?:\/\//.test(text) && URL.canParse(text) && new URL(text).port !== "0") {
    const address = new URL(text);
    // A broker that is silent for 20 s (two heartbeats) is lost. https://www.rabbitmq.com/docs/heartbeats
    if (!address.searchParams.has("heartbeat")) address.searchParams.set("heartbeat", "10");
    return address;
  }
  warn(`AMQP_URL is not the address of a broker: ${text.replace(/^(\w+:\/\/)?.*@/, "$1***@")}`);
  warn("It looks like this: amqp://user:password@localhost:5672/vhost");
  process.exit(1);
}

/** The address as it may be shown: without the password, and without options. */
function masked(address: URL): string {
  const { protocol, username, password, host, pathname } = address;
  const user = username || password ? `${username}${password && ":***"}@` : "";
  return `${protocol}//${user}${host}${pathname === "/" ? "" : pathname}`;
}

/** One line on stderr, where it does not mix with what the lesson prints. */
function warn(line: string): void {
  console.error(`[!] ${line}`);
}

/** The broker's own words, or the system's, without amqplib's frame around them. */
function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (/ with message "(.*)"/s.exec(message)?.[1] ?? message).trim();
}

/** Whether the broker answered and said no, so that trying again will not help. */
function isRefusal(error: Error): boolean {
  return /ACCESS.REFUSED|PRECONDITION.FAILED|Expected ConnectionOpenOk/.test(error.message);
}

/** Says what an error means and what to do about it. What no person can cause is thrown on, with its stack trace. */
function tell(error: unknown, address: URL): void {
  if (!(error instanceof Error)) throw error;
  const where = masked(address);
  const code = "code" in error ? error.code : undefined;
  const other = /inequivalent arg '(.*?)' for (\w+) '(.*?)' in vhost .*: received (.*) but current is (.*)/
    .exec(oneLine(error));
  const tooLong = /^Field '(\w+)' .*up to 255 chars/.exec(error.message);
  if (error.message.startsWith("Lost ")) {
    warn(error.message);
  } else if (code === "ECONNREFUSED") {
    warn(`Nothing listens at ${where}.`);
    warn("Start a broker in another terminal: npm run broker");
  } else if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    warn(
      `There is no host ${address.hostname}, which ${where} names. Set AMQP_URL, or start one here: npm run broker`,
    );
  } else if (/ACCESS.REFUSED - Login/.test(error.message)) {
    warn(`${where} refused the user or the password. Put the right ones into AMQP_URL, or: npm run broker`);
  } else if (/Expected ConnectionOpenOk/.test(error.message)) {
    warn(`${where} has no such virtual host, or not for this user. Name another after the port in AMQP_URL.`);
  } else if (/CERT|UNABLE_TO_VERIFY/.test(String(code))) {
    warn(`${where} has a certificate that is not trusted here: ${oneLine(error)}`);
    warn(
      /SELF_SIGNED|UNABLE_TO/.test(String(code))
        ? "If an authority of your own has signed it, name that one's certificate: NODE_EXTRA_CA_CERTS=ca.pem"
        : "The broker needs one that is in date and names the host in AMQP_URL.",
    );
  } else if (
    /ETIMEDOUT|ECONNRESET|EHOSTUNREACH|ENETUNREACH|during opening handshake|Expected ConnectionStart|ERR_SSL/
      .test(`${code} ${error.message}`)
  ) {
    warn(`${where} does not answer as a broker does (${oneLine(error)}).`);
    warn("Is it the AMQP port (5672; with TLS amqps:// and 5671)? To start a broker here: npm run broker");
  } else if (other) {
    const [, setting, kind, name, ours, theirs] = other;
    warn(
      `The ${kind} '${name}' is already there with other settings: ${setting} should be ${ours}, but is ${theirs}.`,
    );
    warn(`Remove it, and what is in it: npx tsx scripts/delete.ts ${kind} ${name}`);
  } else if (tooLong) {
    const field = tooLong[1]?.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    warn(`The ${field} is longer than the 255 bytes that AMQP allows.`);
  } else if (error.name === "Error" || error instanceof IllegalOperationError || code !== undefined) {
    warn(oneLine(error));
  } else {
    throw error;
  }
}

/** For what a lesson's own callback throws. amqplib would close the channel; a mistake in the code should be seen. */
function crash(error: Error): never {
  throw error;
}

/** Says so when the broker stops taking messages, and when it takes them again. */
function tellWhenBlocked(connection: EventEmitter): void {
  // https://www.rabbitmq.com/docs/connection-blocked
  connection.on(
    "blocked",
    (reason) => warn(`The broker takes no messages for now: ${reason}. Waiting until it does ...`),
  );
  connection.on("unblocked", () => warn("The broker takes messages again."));
}

/** Leaves with exit code 0 on Ctrl-C, on SIGTERM, and when nobody reads the output any more (`| head -1`). */
function leaveWhenAsked(close: () => Promise<void>): void {
  const leave = async () => {
    if (!leavingSince) {
      leavingSince = Date.now();
      process.exitCode = 0;
      await close();
    } else if (Date.now() - leavingSince < SAME_SIGNAL) {
      return;
    }
    process.exit(); // The second time, at once.
  };
  process.on("SIGINT", leave).on("SIGTERM", leave);
  // The console of Deno and of Bun says nothing of a closed pipe; process.stdout does everywhere.
  if (!process.stdout.isTTY) console.log = (line: string) => void process.stdout.write(`${line}\n`);
  process.stdout.on("error", leave);
}

/** Closes a channel and its connection, so that the broker gives unfinished deliveries to others at once. */
async function close(...parts: ({ close(): Promise<void> } | undefined)[]): Promise<void> {
  const limit = setTimeout(() => process.exit(), CLOSE_TIMEOUT);
  // The channel first, which sends what it still holds. Closing the connection would overtake the last acks.
  for (const part of parts) await part?.close().catch(() => {}); // Closed already: all the better.
  clearTimeout(limit);
}
