/** The broker for commands that need one of their own, the tour and the tests, with virtual hosts to throw away. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { findRabbitMQ, type RabbitMQNode, startNode } from "./rabbitmq-node.ts";

/** A broker, and how to get a virtual host on it. */
export interface Broker {
  /** The address of the broker, for AMQP_URL. */
  url: string;
  /** The address of its management API. */
  managementUrl: string;
  /** The node, if it is our own: then it may be stopped. */
  node?: RabbitMQNode;
}

/**
 * Starts a private node where RabbitMQ is installed; elsewhere takes the broker at AMQP_URL.
 *
 * @param signal ends the start of the node before it is done
 * @returns the broker, ready for connections
 * @throws Error when there is neither
 */
export async function getBroker(signal?: AbortSignal): Promise<Broker> {
  const programs = findRabbitMQ();
  if (programs) {
    const node = await startNode({ programs, signal });
    return { url: node.url, managementUrl: node.managementUrl, node };
  }
  const url = new URL(process.env.AMQP_URL || "amqp://guest:guest@localhost");
  const broker = {
    url: url.href,
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
  const name = `by-example-${randomBytes(6).toString("hex")}`;
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
 * Calls RabbitMQ's management API. https://www.rabbitmq.com/docs/http-api-reference
 *
 * @param broker the broker to ask
 * @param method the HTTP method
 * @param path what comes after /api/
 * @returns what it answers, from JSON; undefined if that is nothing
 * @throws Error when the API cannot be reached, or answers with an error
 */
export async function callManagement(broker: Broker, method: string, path: string): Promise<unknown> {
  const { username, password } = new URL(broker.url);
  const user = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
    "base64",
  );
  const response = await fetch(`${broker.managementUrl}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${user}` },
  }).catch(() => {
    throw new Error(
      `There is no RabbitMQ here, nor does the management API answer at ${broker.managementUrl}.`,
    );
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(`${method} ${broker.managementUrl}/api/${path} answered ${response.status}: ${text}`);
  }
  return text ? JSON.parse(text) : undefined;
}
