/** The addresses in AMQP_URL. https://www.rabbitmq.com/docs/uri-spec */
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Options } from "amqplib";
import { config } from "dotenv";
import { end } from "./errors.ts";

/** A broker's address: for display, without its password, and as amqplib's options. */
export type Address = { where: string; options: Options.Connect };

/**
 * Reads AMQP_URL from the environment or, if it is not set there, from .env at the root
 * of the project. Without either, it is amqp://localhost.
 *
 * @returns its addresses, which commas separate; if one is invalid, the script ends
 */
export function brokerAddresses(): [Address, ...Address[]] {
  const text = process.env.AMQP_URL || readEnvFile() || "amqp://localhost";
  // A comma anywhere else may be part of a password.
  const [first = "", ...others] = text.split(/,\s*(?=amqps?:)/);
  return [parse(first), ...others.map(parse)];
}

/** Returns AMQP_URL from .env. If there is such a file, it must contain it. */
function readEnvFile(): string | undefined {
  const path = fileURLToPath(new URL("../.env", import.meta.url));
  if (!existsSync(path)) return undefined;
  const { parsed, error } = config({ path, quiet: true, processEnv: {} });
  const reason = error?.message ?? "it has no line AMQP_URL=… in UTF-8";
  return parsed?.AMQP_URL || end(`Correct or delete ${path}: ${reason}.`);
}

function parse(text: string): Address {
  try {
    const url = new URL(text.trim());
    const { protocol, username, password, hostname, pathname } = url;
    const port = Number(url.port || (protocol === "amqps:" ? 5671 : 5672));
    const isCut = /\/\/.*[/?#].*@/.test(text); // The rest of the password follows.
    if (!/^amqps?:$/.test(protocol) || !hostname || !port || isCut) throw TypeError();
    const user = username && `${username}${password && ":***"}@`;
    return {
      where: `${protocol}//${user}${hostname}:${port}${pathname.replace(/^\/$/, "")}`,
      options: {
        protocol: protocol.replace(":", ""),
        hostname: hostname.replace(/^\[|\]$/g, ""), // IPv6 addresses have brackets.
        port,
        username: decodeURIComponent(username || "guest"),
        password: decodeURIComponent(password || (username ? "" : "guest")),
        vhost: pathname.slice(1),
        // In seconds. amqplib gives up after two of these in silence.
        heartbeat: Number(url.searchParams.get("heartbeat") ?? 10),
      },
    };
  } catch { // The text is not shown: any part of it may be the password.
    return end(
      "AMQP_URL must look like amqp://user:password@localhost:5672/vhost, with " +
        "/ # ? @ % in a password percent-encoded: %2F %23 %3F %40 %25",
    );
  }
}
