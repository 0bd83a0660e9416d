/**
 * Errors in words: what happened, where, and what to do next. Only tables and functions from
 * an error to text, so that all of it can be read, and tested, without a broker.
 * The codes are AMQP's: https://www.rabbitmq.com/amqp-0-9-1-reference#constants
 */
import { AddressError, redact } from "./broker-address.ts";

/** An error that says in its message, line by line, what a person needs to know. */
export class ExplainedError extends Error {}

/** What is known about an error. */
interface Facts {
  /** AMQP's reply code (404), or the system's (ECONNREFUSED). */
  code: unknown;
  /** The broker's own words, or the error's message. */
  words: string;
  /** The address, without its password. */
  where: string;
  /** The name in the address. */
  host: string;
}

/** The errors that a person, or the broker, can cause: how to know one, and what to say. */
const explanations: [
  applies: (facts: Facts) => boolean,
  lines: (facts: Facts) => string[],
][] = [
  [({ code }) => code === "ECONNREFUSED", ({ where }) => [
    `Nothing listens at ${where}.`,
    "Start a broker in another terminal: npm run broker",
  ]],
  [({ code }) => code === "ENOTFOUND" || code === "EAI_AGAIN", ({ where, host }) => [
    `There is no host ${host}, which ${where} names.`,
    "Set AMQP_URL to the address of a broker, or start one here: npm run broker",
  ]],
  [({ words }) => /^ACCESS_REFUSED - Login/.test(words), ({ where }) => [
    `${where} refused the user or the password.`,
    "Put the right ones into AMQP_URL, or use a broker of your own: npm run broker",
  ]],
  // amqplib does not pass on what the broker said: https://github.com/amqp-node/amqplib
  [({ words }) => /^Expected ConnectionOpenOk/.test(words), ({ where }) => [
    `${where} refused the virtual host: it is not there, or not for this user, or has as many ` +
    "connections as it may have.",
    "Name another after the port in AMQP_URL. The broker's log says which of them it was.",
  ]],
  [({ code }) => /SELF_SIGNED|UNABLE_TO_/.test(String(code)), ({ where, words }) => [
    `${where} has a certificate that is not trusted here: ${words}`,
    "If it is from an authority of your own, name its certificate: NODE_EXTRA_CA_CERTS=ca.pem",
  ]],
  [({ code }) => /CERT/.test(String(code)), ({ where, words }) => [
    `${where} has a certificate that is not trusted here: ${words}`,
    "The broker needs one that is in date and names the host in AMQP_URL.",
  ]],
  [
    ({ code, words }) =>
      /ETIMEDOUT|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ERR_SSL|opening handshake|ConnectionStart/
        .test(`${code} ${words}`),
    ({ where, words }) => [
      `${where} does not answer as a broker does (${words}).`,
      "Is it the AMQP port (5672; with TLS amqps:// and 5671)? To start a broker: npm run broker",
    ],
  ],
  [({ words }) => INEQUIVALENT.test(words), ({ words }) => {
    const [, setting, kind, name, ours, theirs] = INEQUIVALENT.exec(words) ?? [];
    return [
      `The ${kind} '${name}' is already there with other settings: ` +
      `${setting} should be ${ours}, but is ${theirs}.`,
      `Remove it, and what is in it: npx tsx scripts/delete.ts ${kind} ${name}`,
    ];
  }],
  [({ words }) => /transient_nonexcl_queues/.test(words), () => [
    "RabbitMQ no longer permits a queue that is neither durable nor exclusive. " +
    "Declare it with durable: true.",
  ]],
  [({ code }) => code === 541, ({ where, words }) => [
    `${where} failed: ${words}.`,
    "Run this again. In a cluster, a majority of the nodes has to run.",
  ]],
  [({ words }) => /unknown delivery tag/.test(words), () => [
    "A message was acknowledged twice, or on another channel than the one it came on.",
    "That is a mistake in the script: https://www.rabbitmq.com/docs/confirms#consumer-acks-double-acking",
  ]],
  [({ words }) => TOO_LONG.test(words), ({ words }) => {
    const field = TOO_LONG.exec(words)?.[1]?.replace(
      /[A-Z]/g,
      (letter) => ` ${letter.toLowerCase()}`,
    );
    return [`The ${field} is longer than the 255 bytes that AMQP allows.`];
  }],
];

const INEQUIVALENT =
  /inequivalent arg '(.*?)' for (\w+) '(.*?)' in vhost .*: received (.*) but current is (.*)/;
const TOO_LONG = /^Field '(\w+)' .*up to 255 chars/;

/**
 * Says what an error means and what to do about it.
 *
 * @param error whatever was thrown
 * @param address where we are connected, or tried to connect
 * @returns the lines; undefined for a mistake in the code, which needs its stack trace
 */
export function explain(error: unknown, address: URL): string[] | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof ExplainedError) return error.message.split("\n");
  if (error instanceof AddressError) {
    return [
      `AMQP_URL is not the address of a broker: ${error.message}`,
      "It looks like this: amqp://user:password@localhost:5672/vhost",
    ];
  }
  const code = "code" in error ? error.code : undefined;
  const facts = {
    code,
    words: words(error),
    where: redact(address),
    host: address.hostname,
  };
  const found = explanations.find(([applies]) => applies(facts));
  if (found) return found[1](facts);
  // What has a code comes from the broker or the system, and says itself what it is.
  return code !== undefined ? [facts.words] : undefined;
}

/**
 * What an error says, on one line: the broker's own words without amqplib's frame.
 *
 * @param error whatever was thrown
 */
export function words(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const broker = / with message "(.*)"/s.exec(message)?.[1];
  return (broker ?? message).trim().replace(/\s*\n\s*/g, " ");
}

/**
 * Whether what happened is the broker's doing, and may pass: it was stopped, a connection was
 * closed, it lost its patience with an acknowledgement, a queue was deleted. Then a consumer
 * connects again. All else (a second acknowledgement, an exchange that is not there) is a
 * mistake that would only repeat itself.
 *
 * @param error why a connection, a channel or a consumer was lost
 */
export function mayPass(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code !== "number") return true; // The network, a heartbeat, a cancelled consumer.
  const said = words(error);
  switch (code) {
    case 320: // CONNECTION_FORCED: the broker stops, or somebody closed the connection.
      return true;
    case 404: // NOT_FOUND, also said of a queue whose leader has just gone.
      return /unavailable|timeout|down/.test(said);
    case 406: // PRECONDITION_FAILED, also said when an acknowledgement is late (before 4.3).
      return /timed out/.test(said);
    case 541: // INTERNAL_ERROR, also said of what 4.3 no longer permits.
      return !/deprecated/.test(said);
    default:
      return false;
  }
}

/**
 * Whether the broker failed by itself. It does so when several consumers come to a new quorum
 * queue at the same moment (seen on 3.10, 4.0 and 4.3), and trying again helps.
 *
 * @param error why a set-up failed
 */
export function isInternalError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === 541;
}
