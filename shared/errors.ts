/** Errors in words. https://www.rabbitmq.com/amqp-0-9-1-reference#constants */
import process from "node:process";

const OR_START = "or start a broker on this machine: npm run broker";
const PORTS = "AMQP's port is 5672, or 5671 for amqps://.";

/** Why connecting failed, by a pattern for the error's code and message. */
const connecting = {
  "ECONNREFUSED": "nothing is listening there. To start a broker: npm run broker",
  "ENOTFOUND|EAI_AGAIN": `this host name is unknown. Correct AMQP_URL, ${OR_START}`,
  "EHOSTUNREACH|ENETUNREACH": `cannot be reached. Correct AMQP_URL, ${OR_START}`,
  "ACCESS_REFUSED - Login":
    `wrong user or password, or guest from another machine. Correct it, ${OR_START}`,
  "Expected ConnectionOpenOk": // amqplib does not pass on the broker's reason.
    "refused the virtual host (after the port): it does not exist, this user may not " +
    "use it, or there are too many connections. The broker's log says which.",
  "(?:SELF_SIGNED|UNABLE_TO|CERT)\\w* (.*)":
    "its certificate is not trusted: $1. It must be valid today, and for this host. " +
    "For an authority of your own, set NODE_EXTRA_CA_CERTS to its certificate.",
  "closed abruptly|ECONNRESET|EPIPE":
    `it closed the connection: a broker that is still starting, or none. ${PORTS}`,
  "ETIMEDOUT|maxFrameSize|ERR_SSL":
    `no AMQP 0-9-1 broker answered within 3 s. ${PORTS} Correct it, ${OR_START}`,
};

/** What to do about other errors that a person can cause. */
const afterwards = {
  "inequivalent arg .* for (\\w+) '(.*?)' in vhost.*":
    "To delete the existing one and all it holds: npx tsx scripts/delete.ts $1 '$2'",
  "message nacked": "A queue is full, was deleted, or has too few nodes running.",
  "transient_nonexcl_queues": "Declare the queue with durable: true.",
  "unknown delivery tag":
    "It was acknowledged twice, or on another channel: rabbitmq.com/docs/confirms",
  "'routingKey'.* 255": "A routing key or binding key is limited to 255 bytes.",
};

/** amqplib's words around those of the broker. */
const FROM_BROKER = / \d+ \([\w-]+\) with message "(.*)"/s;
/** NOT_FOUND passes if there is a queue, but its leader is not running yet. */
const PASSING =
  /"(CONNECTION_FORCED|INTERNAL_ERROR(?!.*deprecat)|NOT_FOUND(?! - no )|.*timed out)/s;

/** Explains in one line why connecting to an address failed. */
export function explain(error: unknown, where: string): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const message = messageOf(error);
  return `${where}: ${find(connecting, `${code} ${message}`) ?? message}`;
}

/** Tells whether connecting again may help: not after a mistake that a person made. */
export function mayPass(error: unknown): boolean {
  if (/ACCESS_REFUSED|Expected ConnectionOpenOk/.test(String(error))) return false;
  // AMQP's codes are numbers. amqplib gives one (541) to what a callback throws, too.
  const hasCode = error instanceof Error && "code" in error && Number(error.code);
  return !hasCode || PASSING.test(error.message);
}

/** Ends the script: with a line about the broker, or with the stack trace of a bug. */
export function fail(error: unknown): never {
  const message = messageOf(error);
  const advice = find(afterwards, message);
  if (advice || FROM_BROKER.test(String(error))) {
    end(`${message}. ${advice ?? ""}`.trim());
  }
  console.error(error);
  process.exit(1);
}

/** The broker's words or, if there are none, the error's message, on one line. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (FROM_BROKER.exec(message)?.[1] ?? message).trim().replace(/\s+/g, " ");
}

/** Prints lines on stderr, and ends the script with exit code 1. */
export function end(...lines: string[]): never {
  lines.forEach(warn);
  process.exit(1);
}

/** Prints a line on stderr, apart from the script's own output. */
export const warn = (line: string): void => console.error(`[!] ${line}`);

/** Returns the words for the first pattern that matches a text. */
function find(table: Record<string, string>, text: string): string | undefined {
  for (const [pattern, words] of Object.entries(table)) {
    const found = RegExp(pattern, "s").exec(text);
    if (found) return found[0].replace(RegExp(pattern, "s"), words);
  }
  return undefined;
}
