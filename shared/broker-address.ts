/** The addresses of the broker, or of the nodes of a cluster. https://www.rabbitmq.com/docs/uri-spec */
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Options } from "amqplib";
import { config } from "dotenv";

/** Seconds between heartbeats. A broker that is silent for two of them is lost. https://www.rabbitmq.com/docs/heartbeats */
const HEARTBEAT = 10;

/** An AMQP_URL that is not one; its message says so without the password. */
export class AddressError extends Error {}

/**
 * Reads AMQP_URL from the environment, else from .env at the root of the project.
 *
 * @returns the addresses it names, at least one: this machine's broker where it is not set
 * @throws AddressError when one of them is not the address of a broker
 */
export function brokerAddresses(): [URL, ...URL[]] {
  const path = fileURLToPath(new URL("../.env", import.meta.url));
  const fromFile = config({ path, quiet: true, processEnv: {} }).parsed?.AMQP_URL;
  return parseAddresses(process.env.AMQP_URL || fromFile || "amqp://localhost");
}

/**
 * Parses a list of addresses.
 *
 * @param text one address, or several with commas between them
 * @returns each of them
 * @throws AddressError for the first that is not the address of a broker
 */
export function parseAddresses(text: string): [URL, ...URL[]] {
  const [first = "", ...others] = text.split(",").map((address) => address.trim());
  return [parseAddress(first), ...others.map(parseAddress)];
}

function parseAddress(text: string): URL {
  if (/^amqps?:\/\/[^/?]/.test(text) && URL.canParse(text)) {
    const url = new URL(text);
    if (url.port !== "0" && isPercentEncoded(url.username + url.password)) return url;
  }
  throw new AddressError(text.replace(/^(\w+:\/\/)?.*@/, "$1***@"));
}

function isPercentEncoded(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined;
  } catch {
    return false;
  }
}

/**
 * The address as it may be shown: with the port, without the password and the options.
 *
 * @param address the address of a broker
 */
export function redact(address: URL): string {
  const { protocol, username, password, hostname, pathname } = address;
  const user = username || password ? `${username}${password && ":***"}@` : "";
  const port = address.port || (protocol === "amqps:" ? 5671 : 5672);
  return `${protocol}//${user}${hostname}:${port}${pathname === "/" ? "" : pathname}`;
}

/**
 * The address as amqplib's options. It reads an object anew at every attempt to connect, so
 * that a connection which recovers can be sent elsewhere.
 *
 * @param address the address of a broker; heartbeat, frameMax and channelMax may follow a "?"
 */
export function connectOptions(address: URL): Options.Connect {
  const { protocol, username, password, hostname, port, pathname, searchParams } =
    address;
  const hasUser = username !== "" || password !== ""; // Else amqplib takes guest.
  const number = (name: string) =>
    searchParams.has(name) ? Number(searchParams.get(name)) : undefined;
  return {
    protocol: protocol.replace(":", ""),
    hostname: hostname.replace(/^\[|\]$/g, ""), // Only a URL has brackets around IPv6.
    port: port ? Number(port) : undefined,
    username: hasUser ? decodeURIComponent(username) : undefined,
    password: hasUser ? decodeURIComponent(password) : undefined,
    vhost: pathname.slice(1),
    heartbeat: number("heartbeat") ?? HEARTBEAT,
    frameMax: number("frameMax"),
    channelMax: number("channelMax"),
  };
}
