/** The settings: environment variables, or lines of the file .env above this folder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseEnv } from "node:util";
import { end } from "./output.ts";

const FOLDER = import.meta.dirname ?? ".";
/** RabbitMQ accepts no longer delay. https://www.rabbitmq.com/docs/ttl */
const MAX_DELAY = 2 ** 32 - 1;

export type Environment = ReturnType<typeof readEnvironment>;

/** Reads all settings. If one is wrong, a line says so, and the program ends. */
export function readEnvironment(defaultPort = 8080) {
  const variables = { ...readEnvFile(), ...process.env };

  function number(name: string, max: number, otherwise: number): number {
    const text = variables[name] || `${otherwise}`;
    if (/^\d+$/.test(text) && Number(text) <= max) return Number(text);
    return end(`${name} must be a number from 0 to ${max}`);
  }

  return {
    broker: brokerAddress(variables.AMQP_URL || "amqp://localhost"),
    /** Where to listen. For 0, the system chooses a free port. */
    port: number("PORT", 65_535, defaultPort),
    /** The folder of the databases. */
    data: variables.DATA || FOLDER,
    gateway: gatewayAddress(variables.GATEWAY || "http://localhost:8081/sms"),
    /** How long a failed message waits, in milliseconds. */
    retryDelay: number("RETRY_DELAY", MAX_DELAY, 10_000),
    /** How long it is tried again, in milliseconds. After a day, a provider forgets an
     * idempotency key, and would send a second SMS: 20 hours are less. */
    retryFor: number("RETRY_FOR", Number.MAX_SAFE_INTEGER, 72_000_000),
  };
}

/** Returns the variables in .env, if there is such a file. */
function readEnvFile(): NodeJS.Dict<string> {
  let text: string;
  try {
    text = readFileSync(join(FOLDER, "../.env"), "utf8");
  } catch (error) {
    const isMissing = error instanceof Error && error.message.includes("ENOENT");
    return isMissing ? {} : end("Cannot read .env: correct or delete it");
  }
  const variables = parseEnv(text);
  // Whoever has written the file does not mean the broker on this machine.
  if (variables.AMQP_URL || process.env.AMQP_URL) return variables;
  return end("There is no line AMQP_URL=… in .env: add it, or delete the file");
}

/** Checks AMQP_URL. It is never shown, because a part of it may be a password. */
function brokerAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Unless it is encoded, a / # or ? in a password ends the host, and an @ follows.
  const isWhole = url?.hostname && !/\/\/.*[/?#].*@/.test(text);
  const isOne = url && !/,/.test(url.host) && /^amqps?:$/.test(url.protocol);
  if (isWhole && isOne) return url;
  return end(
    "AMQP_URL must be one address like amqp://user:password@localhost:5672/vhost, " +
      "with / # ? @ % in a password percent-encoded: %2F %23 %3F %40 %25",
  );
}

function gatewayAddress(text: string): URL {
  if (/^https?:/.test(text) && URL.canParse(text)) return new URL(text);
  return end("GATEWAY must be an address like http://localhost:8081/sms");
}
