/** The settings: environment variables, or lines of the file .env above this folder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseEnv } from "node:util";
import { end } from "./program.ts";

const FOLDER = import.meta.dirname ?? ".";
/** RabbitMQ accepts no longer delay. https://www.rabbitmq.com/docs/ttl */
const MAX_DELAY = 2 ** 32 - 1;

export type Environment = ReturnType<typeof readEnvironment>;

/** Reads all settings. If one is wrong, a line says so, and the program ends. */
export function readEnvironment(defaultPort = 8080) {
  const file = readEnvFile();
  const variable = (name: string) => process.env[name] || file[name];

  function number(name: string, max: number, otherwise: number): number {
    const text = variable(name) || `${otherwise}`;
    if (/^\d+$/.test(text) && Number(text) <= max) return Number(text);
    return end(`${name} must be a number from 0 to ${max}`);
  }

  function address(name: string, protocol: RegExp, otherwise: string): URL {
    const text = variable(name) || otherwise;
    // In a password, a / # or ? that is not encoded ends the host, and an @ follows.
    const isWrong = /\/\/.*([/?#].*@|,\s*\w+:\/\/)|%(?![0-9a-f]{2})/i.test(text);
    if (!isWrong && protocol.test(text) && URL.canParse(text)) return new URL(text);
    // It is not shown: a part of it may be a password.
    return end(
      `${name} must be one address like ${otherwise}. In a user name and a password, ` +
        "/ # ? @ % are written as %2F %23 %3F %40 %25",
    );
  }

  return {
    broker: address("AMQP_URL", /^amqps?:\/\/[^/]/, "amqp://localhost"),
    gateway: address("GATEWAY", /^https?:[^@]*$/, "http://localhost:8081/sms"),
    /** Where to listen. For 0, the system chooses a free port. */
    port: number("PORT", 65_535, defaultPort),
    /** The folder of the databases. */
    data: variable("DATA") || FOLDER,
    /** How long a failed message waits, in milliseconds. */
    retryDelay: number("RETRY_DELAY", MAX_DELAY, 10_000),
    /** How long it is tried again, in milliseconds: 20 hours. After a day, a provider
     * forgets an idempotency key, and would send a second SMS. */
    retryFor: number("RETRY_FOR", Number.MAX_SAFE_INTEGER, 72_000_000),
  };
}

/** Returns the variables in .env, if there is such a file. */
function readEnvFile(): NodeJS.Dict<string> {
  try {
    const variables = parseEnv(readFileSync(join(FOLDER, "../.env"), "utf8"));
    // Whoever has written the file does not mean the broker on this machine.
    if (variables.AMQP_URL || process.env.AMQP_URL) return variables;
    return end("There is no line AMQP_URL=… in .env: add it, or delete the file");
  } catch (error) {
    const isMissing = error instanceof Error && error.message.includes("ENOENT");
    return isMissing ? {} : end("Cannot read .env: correct or delete it");
  }
}
