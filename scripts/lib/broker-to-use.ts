/** The broker for the tour, the tests and the bench, with temporary virtual hosts. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { brokerAddresses } from "../../shared/address.ts";
import { findRabbitMQ, type RabbitMQNode, startNode } from "./rabbitmq-node.ts";

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
  /** The node, if it is private: it may then be stopped. */
  node?: RabbitMQNode;
}

/**
 * Starts a private node if RabbitMQ is installed; the signal aborts the start. If it is
 * not, returns the broker at AMQP_URL, with the management API at MANAGEMENT_URL (default:
 * port 15672 of the same host). Throws an error if this API does not answer.
 */
export async function getBroker(signal?: AbortSignal): Promise<Broker> {
  const prefix = `by-example-${randomBytes(6).toString("hex")}-`;
  const programs = findRabbitMQ();
  if (programs) {
    const node = await startNode({ programs, signal });
    return { url: node.url, managementUrl: node.managementUrl, prefix, node };
  }
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
  try {
    await callManagement(broker, "GET", "overview");
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    throw new Error(`RabbitMQ is not installed. ${reason}`, { cause: error });
  }
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
  if (broker.node) return await broker.node.stop();
  const all = await callManagement(broker, "GET", "vhosts?columns=name");
  for (const { name } of Array.isArray(all) ? all : []) {
    if (name.startsWith(broker.prefix)) {
      await callManagement(broker, "DELETE", `vhosts/${name}`);
    }
  }
}

/**
 * Calls RabbitMQ's management API with a path after /api/, and a body, which is sent as
 * JSON. Returns the parsed response body, or undefined if it is empty. Throws an error if
 * the API does not respond, or with one. https://www.rabbitmq.com/docs/http-api-reference
 */
export async function callManagement(
  { managementUrl, login = "guest:guest" }: Pick<Broker, "managementUrl" | "login">,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${managementUrl}/api/${path}`, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: {
      // RabbitMQ 4.3 closes an idle connection after 5 s, perhaps just before its reuse.
      connection: "close",
      "content-type": "application/json",
      authorization: `Basic ${Buffer.from(login).toString("base64")}`,
    },
  }).catch(() => {
    throw new Error(
      `No management API responds at ${managementUrl}. MANAGEMENT_URL sets its address.`,
    );
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(
      `${method} ${managementUrl}/api/${path} responded ${response.status}: ${text}`,
    );
  }
  return text ? JSON.parse(text) : undefined;
}
