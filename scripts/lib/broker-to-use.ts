/** The broker for commands that need one of their own, the tour and the tests, with virtual hosts to throw away. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import process from "node:process";
import { config } from "dotenv";
import { root } from "./program.ts";
import { findRabbitMQ, type RabbitMQNode, startNode } from "./rabbitmq-node.ts";

/** A broker, and how to get a virtual host on it. */
export interface Broker {
  /** The address of the broker, for AMQP_URL. */
  url: string;
  /** The address of its management API. */
  managementUrl: string;
  /** What the names of its virtual hosts begin with, so that those of this run can be told from all others. */
  prefix: string;
  /** The node, if it is our own: then it may be stopped. */
  node?: RabbitMQNode;
}

/**
 * Starts a private node where RabbitMQ is installed; elsewhere takes the broker at AMQP_URL (from the environment or .env;
 * else the one on this machine), whose management API is at MANAGEMENT_URL, or on port 15672 of the same host.
 *
 * @param signal ends the start of the node before it is done
 * @returns the broker, ready for connections
 * @throws Error when there is neither
 */
export async function getBroker(signal?: AbortSignal): Promise<Broker> {
  const prefix = `by-example-${randomBytes(6).toString("hex")}-`;
  const programs = findRabbitMQ();
  if (programs) {
    const node = await startNode({ programs, signal });
    return { url: node.url, managementUrl: node.managementUrl, prefix, node };
  }
  config({ path: join(root, ".env"), quiet: true });
  const url = new URL(process.env.AMQP_URL || "amqp://guest:guest@localhost");
  const broker = {
    url: url.href,
    prefix,
    managementUrl: process.env.MANAGEMENT_URL || `http://${url.hostname}:15672`,
  };
  await callManagement(broker, "GET", "overview");
  return broker;
}

/**
 * Makes a virtual host: queues and exchanges in it meet no others, whatever their names.
 *
 * @param broker the broker to make it on
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
 * Deletes a virtual host with all that is in it.
 *
 * @param broker the broker that it is on
 * @param url its address, as {@linkcode createVirtualHost} gave it
 */
export async function deleteVirtualHost(broker: Broker, url: string): Promise<void> {
  await callManagement(broker, "DELETE", `vhosts${new URL(url).pathname}`);
}

/**
 * Ends the use of a broker: stops the node if it is our own, else deletes the virtual hosts that are left of this run.
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
 * @param broker the broker to ask
 * @param method the HTTP method
 * @param path what comes after /api/
 * @param body what to send, as JSON
 * @returns what it answers, from JSON; undefined if that is nothing
 * @throws Error when the API cannot be reached, or answers with an error
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
      "content-type": "application/json",
      authorization: `Basic ${Buffer.from(user).toString("base64")}`,
    },
  }).catch(() => {
    throw new Error(
      `No RabbitMQ is installed, and no management API answers at ${broker.managementUrl} (MANAGEMENT_URL names another).`,
    );
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(
      `${method} ${broker.managementUrl}/api/${path} answered ${response.status}: ${text}`,
    );
  }
  return text ? JSON.parse(text) : undefined;
}
