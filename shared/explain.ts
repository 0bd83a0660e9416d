/**
 * Explains errors: what happened, where, and what to do next; and tells which ones are worth a
 * retry. These are pure functions, so they can be tested without a broker.
 * The numeric codes are AMQP's: https://www.rabbitmq.com/amqp-0-9-1-reference#constants
 */
import { AddressError, redact } from "./broker-address.ts";

/** An error whose message is the explanation, line by line. */
export class ExplainedError extends Error {}

/** What is known about an error. */
interface Facts {
  /** AMQP's reply code (404), or the system's error code (ECONNREFUSED). */
  code: unknown;
  /** The broker's reply text, or the error's message. */
  text: string;
  /** The address, without its password. */
  where: string;
}

/** How to recognize and explain errors. */
type Explanations = [
  applies: (facts: Facts) => boolean,
  lines: (facts: Facts) => string[],
][];

/** The errors of connecting. (Elsewhere, an ECONNREFUSED may be about a database, for example.) */
const whenConnecting: Explanations = [
  [({ code }) => code === "ECONNREFUSED", ({ where }) => [
    `Nothing is listening at ${where}.`,
    "Start a broker in another terminal: npm run broker",
  ]],
  [({ code }) => code === "ENOTFOUND" || code === "EAI_AGAIN", ({ where }) => [
    `The host name in ${where} cannot be resolved.`,
    "Set AMQP_URL to the address of a broker, or start one on this machine: npm run broker",
  ]],
  [({ text }) => /^ACCESS_REFUSED - Login/.test(text), ({ where }) => [
    `${where} rejected the user name or the password.`,
    "Correct them in AMQP_URL, or start a broker of your own: npm run broker",
  ]],
  // amqplib does not pass on the broker's reason: https://github.com/amqp-node/amqplib
  [({ text }) => /^Expected ConnectionOpenOk/.test(text), ({ where }) => [
    `${where} refused the virtual host: it does not exist, the user may not access it, ` +
    "or it has reached its connection limit.",
    "The virtual host comes after the port in AMQP_URL. The broker's log gives the reason.",
  ]],
  [({ code }) => /SELF_SIGNED|UNABLE_TO_/.test(String(code)), ({ where, text }) => [
    `The certificate of ${where} is not trusted: ${text}`,
    "If your own certificate authority issued it, set NODE_EXTRA_CA_CERTS to its certificate.",
  ]],
  [({ code }) => /CERT/.test(String(code)), ({ where, text }) => [
    `The certificate of ${where} is not trusted: ${text}`,
    "It must be valid today, and for the host name in AMQP_URL.",
  ]],
  [
    ({ code }) => code === "EHOSTUNREACH" || code === "ENETUNREACH",
    ({ where, text }) => [
      `${where} cannot be reached: ${text}`,
      "Correct AMQP_URL, or start a broker on this machine: npm run broker",
    ],
  ],
  [
    ({ code, text }) =>
      /ETIMEDOUT|ECONNRESET|ERR_SSL|opening handshake|ConnectionStart/
        .test(`${code} ${text}`),
    ({ where, text }) => [
      `${where} does not respond like an AMQP broker (${text}).`,
      "Is this the AMQP port (5672, or 5671 for amqps://)? To start a broker: npm run broker",
    ],
  ],
];

/** The other errors that a user or the broker can cause. */
const afterwards: Explanations = [
  [({ text }) => INEQUIVALENT.test(text), ({ text }) => {
    const [, setting, kind, name, ours, theirs] = INEQUIVALENT.exec(text) ?? [];
    return [
      `The ${kind} '${name}' already exists with other settings: ` +
      `${setting} should be ${ours}, but is ${theirs}.`,
      `Delete it${
        kind === "queue" ? " and its messages" : ""
      }: npx tsx scripts/delete.ts ${kind} '${name}'`,
    ];
  }],
  [({ text }) => /transient_nonexcl_queues/.test(text), () => [
    "RabbitMQ no longer permits queues that are neither durable nor exclusive. " +
    "Declare this one with durable: true.",
  ]],
  [({ code }) => code === 541, ({ where, text }) => [
    `${where} failed: ${text}.`,
    "Run the script again. In a cluster, a majority of the nodes must be running.",
  ]],
  [({ text }) => /unknown delivery tag/.test(text), () => [
    "A message was acknowledged twice, or not on the channel that delivered it.",
    "This is a bug in the script: https://www.rabbitmq.com/docs/confirms#consumer-acks-double-acking",
  ]],
  [({ text }) => TOO_LONG.test(text), ({ text }) => {
    const field = TOO_LONG.exec(text)?.[1]?.replace(
      /[A-Z]/g,
      (letter) => ` ${letter.toLowerCase()}`,
    );
    return [`The ${field} is longer than the 255 bytes that AMQP allows.`];
  }],
];

const INEQUIVALENT =
  /inequivalent arg '(.*?)' for (\w+) '(.*?)' in vhost .*: received (.*) but current is (.*)/;
const FROM_BROKER = / with message "(.*)"/s;
const TOO_LONG = /^Field '(\w+)' .*up to 255 chars/;

/**
 * Explains why connecting failed, and what to do about it.
 *
 * @param error the error from amqplib's connect()
 * @param address the broker's address
 * @returns the lines to print
 */
export function explainConnecting(error: unknown, address: URL): string[] {
  return lookUp(error, [...whenConnecting, ...afterwards], address) ??
    [`${redact(address)}: ${messageOf(error)}`];
}

/**
 * Explains what an error means, unless it is one of connecting, and what to do about it.
 *
 * @param error the value that was thrown
 * @param address the broker's address
 * @returns the lines to print; undefined for any other error, which needs its stack trace
 */
export function explain(error: unknown, address: URL): string[] | undefined {
  return lookUp(error, afterwards, address);
}

/** Looks for the explanation of an error. */
function lookUp(
  error: unknown,
  explanations: Explanations,
  address: URL,
): string[] | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof ExplainedError) return error.message.split("\n");
  if (error instanceof AddressError) {
    return [
      error.message,
      "It should look like this: amqp://user:password@localhost:5672/vhost",
    ];
  }
  const code = "code" in error ? error.code : undefined;
  const facts = { code, text: messageOf(error), where: redact(address) };
  const found = explanations.find(([applies]) => applies(facts));
  if (found) return found[1](facts);
  return FROM_BROKER.test(error.message) ? [facts.text] : undefined; // It explains itself.
}

/**
 * Extracts the message of an error: the broker's reply text, without the text around it.
 *
 * @param error the value that was thrown
 * @returns the message, on one line
 */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const broker = FROM_BROKER.exec(message)?.[1];
  return (broker ?? message).trim().replace(/\s*\n\s*/g, " ");
}

/**
 * Tells whether an error may be temporary, so that a consumer should reconnect: the broker was
 * stopped, a connection was closed, an acknowledgement timed out, a queue was deleted. Any other
 * error (a second acknowledgement, a missing exchange) would only happen again.
 *
 * @param error why a connection, a channel or a consumer was lost
 * @returns whether it may be temporary
 */
export function mayBeTemporary(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code !== "number") return true; // The network, heartbeats, a cancelled consumer.
  const said = messageOf(error);
  switch (code) {
    case 320: // CONNECTION_FORCED: the broker stopped, or an operator closed the connection.
      return true;
    case 404: // NOT_FOUND, also for a queue that has just lost its leader.
      return /unavailable|timeout|down/.test(said);
    case 406: // PRECONDITION_FAILED, also for a late acknowledgement (before 4.3).
      return /timed out/.test(said);
    case 541: // INTERNAL_ERROR, also for features that 4.3 no longer permits.
      return !/deprecated/.test(said);
    default:
      return false;
  }
}

/**
 * Tells whether an error is the broker's own failure. This happens when several consumers declare
 * a new quorum queue at the same moment (seen on 3.10, 4.0 and 4.3), and trying again helps.
 *
 * @param error why a set-up failed
 * @returns whether its reply code is 541, INTERNAL_ERROR
 */
export function isInternalError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === 541;
}
