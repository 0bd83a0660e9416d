/** The addresses of the broker or of a cluster's nodes. https://www.rabbitmq.com/docs/uri-spec */
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Options } from "amqplib";
import { config } from "dotenv";

/**
 * The heartbeat timeout to negotiate, in seconds. amqplib gives up after two of these in silence.
 * https://www.rabbitmq.com/docs/heartbeats
 */
const HEARTBEAT = 10;

/** An invalid AMQP_URL. The message contains the address without its password. */
export class AddressError extends Error {}

/**
 * Reads AMQP_URL from the environment or, if it is not set there, from .env at the root of the
 * project. The default is amqp://localhost.
 *
 * @returns the addresses in it, at least one
 * @throws AddressError if one of them is not a valid broker address
 */
export function brokerAddresses(): [URL, ...URL[]] {
  const path = fileURLToPath(new URL("../.env", import.meta.url));
  const fromFile = config({ path, quiet: true, processEnv: {} }).parsed?.AMQP_URL;
  return parseAddresses(process.env.AMQP_URL || fromFile || "amqp://localhost");
}

/**
 * Parses a list of addresses.
 *
 * @param text one address, or several separated by commas
 * @returns the addresses
 * @throws AddressError for the first one that is not a valid broker address
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
  const redacted = text.replace(/^(\w+:\/\/)?.*@/, "$1***@");
  throw new AddressError(`AMQP_URL is not a valid broker address: ${redacted}`);
}

function isPercentEncoded(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined;
  } catch {
    return false;
  }
}

/**
 * Formats an address for display.
 *
 * @param address the address of a broker
 * @returns the address with its port, and without its password and options
 */
export function redact(address: URL): string {
  const { protocol, username, password, hostname, pathname } = address;
  const user = username || password ? `${username}${password && ":***"}@` : "";
  const port = address.port || (protocol === "amqps:" ? 5671 : 5672);
  return `${protocol}//${user}${hostname}:${port}${pathname === "/" ? "" : pathname}`;
}

/**
 * Converts an address to amqplib's options. amqplib reads these again at every attempt to
 * connect, so changing the object sends a recovering connection to another broker.
 *
 * @param address the address of a broker; its query may set heartbeat, frameMax and channelMax
 * @returns the options
 */
export function connectOptions(address: URL): Options.Connect {
  const { protocol, username, password, hostname, port, pathname, searchParams } =
    address;
  const hasUser = username !== "" || password !== ""; // If not, amqplib uses guest.
  const number = (name: string) =>
    searchParams.has(name) ? Number(searchParams.get(name)) : undefined;
  return {
    protocol: protocol.replace(":", ""),
    hostname: hostname.replace(/^\[|\]$/g, ""), // A URL has brackets around an IPv6 address.
    port: port ? Number(port) : undefined,
    username: hasUser ? decodeURIComponent(username) : undefined,
    password: hasUser ? decodeURIComponent(password) : undefined,
    vhost: pathname.slice(1),
    heartbeat: number("heartbeat") ?? HEARTBEAT,
    frameMax: number("frameMax"),
    channelMax: number("channelMax"),
  };
}
