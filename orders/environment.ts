/** The settings: environment variables, and lines of the file .env above this folder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseEnv } from "node:util";
import { end } from "./output.ts";

export type Environment = {
  /** AMQP_URL: the address of RabbitMQ. */
  broker: URL;
  /** PORT: where to listen. With 0, the system chooses a free port. */
  port: number;
  /** DATA: the folder of the databases. */
  dataFolder: string;
  /** GATEWAY: where to send SMS. */
  gateway: URL;
  /** RETRY_DELAY: how long a failed message waits, in milliseconds. */
  retryDelay: number;
  /** RETRY_FOR: how long it is tried again before it is given up, in milliseconds. */
  retryFor: number;
};

/** The folder of these scripts. */
const folder = import.meta.dirname ?? ".";
/** RabbitMQ accepts no longer delay, in milliseconds: https://www.rabbitmq.com/docs/ttl */
const LONGEST_DELAY = 2 ** 32 - 1;

/** Reads all settings. If one of them is wrong, a line says so, and the program ends. */
export function readEnvironment(defaultPort = 8080): Environment {
  const file = readEnvFile();
  // A variable that is empty counts as one that is not set.
  const read = (name: string) => process.env[name] || file?.[name];
  const number = (name: string, otherwise: number, min: number, max: number) => {
    const text = read(name) ?? `${otherwise}`;
    const value = Number(text);
    const isValid = /^\d+$/.test(text) && value >= min && value <= max;
    return isValid ? value : end(`${name} must be a number from ${min} to ${max}`);
  };
  // Whoever wrote the file meant another broker than the one on this machine.
  if (file && !read("AMQP_URL")) end("In .env, there is no line AMQP_URL=…: add it");
  return {
    broker: brokerAddress(read("AMQP_URL") ?? "amqp://localhost"),
    port: number("PORT", defaultPort, 0, 65_535),
    dataFolder: read("DATA") ?? folder,
    gateway: gatewayAddress(read("GATEWAY") ?? "http://localhost:8081/sms"),
    retryDelay: number("RETRY_DELAY", 10_000, 1, LONGEST_DELAY),
    // 20 hours: a provider remembers a key for a day, and would then send a second SMS.
    retryFor: number("RETRY_FOR", 72_000_000, 1, Number.MAX_SAFE_INTEGER),
  };
}

/** Returns the variables in the file .env, if there is one. */
function readEnvFile(): NodeJS.Dict<string> | undefined {
  try {
    return parseEnv(readFileSync(join(folder, "../.env"), "utf8"));
  } catch (error) {
    const isMissing = error instanceof Error && /ENOENT/.test(error.message);
    return isMissing ? undefined : end("Cannot read .env: correct it, or delete it");
  }
}

function brokerAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // A # ? or / in a password ends it, and the rest with its @ follows.
  const isWhole = url && !/[/?#].*@/.test(text.replace("//", ""));
  if (
    isWhole && /^amqps?:$/.test(url.protocol) && url.hostname && !/,/.test(url.host)
  ) {
    return url;
  }
  // The text is not shown: a part of it may be a password.
  return end(
    "AMQP_URL must be one address, such as amqp://user:password@localhost:5672/vhost, " +
      "with / # ? @ % in a password percent-encoded: %2F %23 %3F %40 %25",
  );
}

function gatewayAddress(text: string): URL {
  if (/^https?:/.test(text) && URL.canParse(text)) return new URL(text);
  return end("GATEWAY must be an address, such as http://localhost:8081/sms");
}
