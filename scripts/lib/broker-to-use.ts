/** The broker for the tour, the tests and the bench, with temporary virtual hosts. */
import { randomBytes } from "node:crypto";
import process from "node:process";
import { brokerAddresses } from "../../shared/address.ts";
import { startCluster } from "./cluster.ts";
import { findRabbitMQ } from "./find-rabbitmq.ts";
import { callManagement } from "./management.ts";
import { freePort } from "./ports.ts";

/** A broker on which to create virtual hosts. */
export interface Broker {
  /** Its address, for AMQP_URL, without a virtual host. */
  url: string;
  /** The address of its management API. */
  managementUrl: string;
  /** The user and the password for the API, with a colon between them. */
  login?: string;
  /** How to name it to a person, without a password. */
  where?: string;
  /** The prefix of the names of the virtual hosts of this run. */
  prefix: string;
  /** Stops it, if it is a private one. */
  stop?: () => Promise<void>;
}

/**
 * Starts a private node if RabbitMQ is installed; the signal aborts the start. If it is
 * not, returns the broker at AMQP_URL, with the management API at MANAGEMENT_URL (default:
 * port 15672 of the same host). Throws an error if this API does not answer.
 */
export async function getBroker(signal?: AbortSignal): Promise<Broker> {
  const prefix = `by-example-${randomBytes(6).toString("hex")}-`;
  const programs = findRabbitMQ();
  if (!programs) return await brokerAtAddress(prefix);
  const port = await freePort();
  const { nodes: [node], stop } = await startCluster({ programs, port, signal }, 1);
  return { url: node.url, managementUrl: node.managementUrl, prefix, stop };
}

/** Returns the broker at AMQP_URL, after a look at its management API. */
async function brokerAtAddress(prefix: string): Promise<Broker> {
  const [{ where, options }] = brokerAddresses();
  const { protocol, hostname = "", port, username = "", password = "" } = options;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const user = [username, password].map(encodeURIComponent).join(":");
  const broker = {
    url: `${protocol}://${user}@${host}:${port}`,
    managementUrl: process.env.MANAGEMENT_URL || `http://${host}:15672`,
    login: `${username}:${password}`,
    where,
    prefix,
  };
  await callManagement(broker, "GET", "overview").catch((error) => {
    throw new Error(`RabbitMQ is not installed: npm run setup. ${error.message}`);
  });
  return broker;
}

/**
 * Creates a virtual host, which isolates its queues and exchanges from all others, and
 * returns its address, for AMQP_URL. https://www.rabbitmq.com/docs/vhosts
 */
export async function createVirtualHost(broker: Broker): Promise<string> {
  const name = broker.prefix + randomBytes(4).toString("hex");
  await callManagement(broker, "PUT", `vhosts/${name}`);
  return `${broker.url}/${name}`;
}

/** Deletes a virtual host from {@linkcode createVirtualHost}, and everything in it. */
export async function deleteVirtualHost(broker: Broker, url: string): Promise<void> {
  await callManagement(broker, "DELETE", `vhosts${url.slice(broker.url.length)}`);
}

/** Stops a private node, or deletes the virtual hosts of this run on another broker. */
export async function leaveBroker(broker: Broker): Promise<void> {
  if (broker.stop) return broker.stop();
  const all = await callManagement(broker, "GET", "vhosts?columns=name");
  if (!Array.isArray(all)) return;
  for (const { name } of all) {
    if (!name.startsWith(broker.prefix)) continue;
    await callManagement(broker, "DELETE", `vhosts/${name}`);
  }
}
