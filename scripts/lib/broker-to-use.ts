/** The broker for the tour, the tests and the bench, with temporary virtual hosts. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { brokerAddresses } from "../../shared/broker-address.ts";
import { findRabbitMQ, type RabbitMQNode, startNode } from "./rabbitmq-node.ts";

/** A broker on which to create virtual hosts. */
export interface Broker {
  /** The address of the broker, for AMQP_URL. */
  url: string;
  /** The address of its management API. */
  managementUrl: string;
  /** The prefix of the names of the virtual hosts of this run. */
  prefix: string;
  /** The node, if it is private: it may then be stopped. */
  node?: RabbitMQNode;
}

/**
 * Starts a private node if RabbitMQ is installed. If not, it uses the broker at AMQP_URL, from the environment or .env
 * (default: amqp://localhost), with the management API at MANAGEMENT_URL (default: port 15672 of the same host).
 *
 * @param signal aborts the start of the node
 * @returns the broker, ready for connections
 * @throws Error if RabbitMQ is not installed and no management API answers
 */
export async function getBroker(signal?: AbortSignal): Promise<Broker> {
  const prefix = `by-example-${randomBytes(6).toString("hex")}-`;
  const programs = findRabbitMQ();
  if (programs) {
    const node = await startNode({ programs, signal });
    return { url: node.url, managementUrl: node.managementUrl, prefix, node };
  }
  const [url] = brokerAddresses();
  const broker = {
    url: url.href,
    prefix,
    managementUrl: process.env.MANAGEMENT_URL || `http://${url.hostname}:15672`,
  };
  try {
    await callManagement(broker, "GET", "overview");
  } catch (error) {
    throw new Error(
      `RabbitMQ is not installed. ${error instanceof Error ? error.message : error}`,
      { cause: error },
    );
  }
  return broker;
}

/**
 * Creates a virtual host, which isolates its queues and exchanges from all others.
 * https://www.rabbitmq.com/docs/vhosts
 *
 * @param broker the broker
 * @returns its address, for AMQP_URL
 */
export async function createVirtualHost(broker: Broker): Promise<string> {
  const name = broker.prefix + randomBytes(4).toString("hex");
  await callManagement(broker, "PUT", `vhosts/${name}`);
  const url = new URL(broker.url);
  url.pathname = name;
  return url.href;
}

/**
 * Deletes a virtual host and everything in it.
 *
 * @param broker the broker
 * @param url the address of the virtual host, from {@linkcode createVirtualHost}
 */
export async function deleteVirtualHost(broker: Broker, url: string): Promise<void> {
  await callManagement(broker, "DELETE", `vhosts${new URL(url).pathname}`);
}

/**
 * Releases a broker: stops a private node, or deletes the remaining virtual hosts of this run.
 *
 * @param broker the broker, from {@linkcode getBroker}
 */
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
 * Calls RabbitMQ's management API. https://www.rabbitmq.com/docs/http-api-reference
 *
 * @param broker the broker
 * @param method the HTTP method
 * @param path the path after /api/
 * @param body the request body, sent as JSON
 * @returns the response body, parsed as JSON; undefined if it is empty
 * @throws Error if the API cannot be reached, or responds with an error
 */
export async function callManagement(
  broker: Pick<Broker, "url" | "managementUrl">,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { username, password } = new URL(broker.url);
  const user = username
    ? `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    : "guest:guest";
  const response = await fetch(`${broker.managementUrl}/api/${path}`, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: {
      // RabbitMQ 4.3 closes an idle connection after 5 s. A call that reused it at that moment would fail.
      connection: "close",
      "content-type": "application/json",
      authorization: `Basic ${Buffer.from(user).toString("base64")}`,
    },
  }).catch(() => {
    throw new Error(
      `No management API responds at ${broker.managementUrl}. MANAGEMENT_URL sets its address.`,
    );
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(
      `${method} ${broker.managementUrl}/api/${path} responded ${response.status}: ${text}`,
    );
  }
  return text ? JSON.parse(text) : undefined;
}
