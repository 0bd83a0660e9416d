/** What tests do at the broker, and no lesson does. */
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import * as net from "node:net";
import { type ConfirmChannel, connect } from "amqplib";
import { onTestFinished } from "vitest";
import { callManagement } from "../../scripts/lib/management.ts";
import { freePort } from "./ports.ts";
import type { TestNode } from "./test-node.ts";

/** The settings of the lessons' queues. */
export const QUORUM = { durable: true, arguments: { "x-queue-type": "quorum" } };

/** A younger quorum queue may not survive, in milliseconds; nothing reports its state. */
export const SETTLING = 2000;

/** Opens a channel for what no lesson does, such as deleting a queue, and closes it. */
export async function onChannel<T>(
  url: string,
  work: (channel: ConfirmChannel) => Promise<T>,
): Promise<T> {
  const connection = await connect(url);
  try {
    return await work(await connection.createConfirmChannel());
  } finally {
    await connection.close();
  }
}

/** Counts the ready messages in a queue, without the unacknowledged ones. */
export const messagesIn = (url: string, queue: string) =>
  onChannel(url, async (channel) => (await channel.checkQueue(queue)).messageCount);

/** The name of the virtual host in an address. */
export const vhostOf = (url: string) => new URL(url).pathname.slice(1);

/** Sets a policy for the queues of a virtual host. https://www.rabbitmq.com/docs/policies */
export function setPolicy(
  broker: Parameters<typeof callManagement>[0],
  url: string,
  pattern: string,
  definition: Record<string, unknown>,
) {
  const policy = { pattern, "apply-to": "queues", definition };
  return callManagement(broker, "PUT", `policies/${vhostOf(url)}/test`, policy);
}

/** Closes all connections to a virtual host, as an operator does. */
export const closeAll = (node: TestNode, url: string) =>
  node.control("close_all_connections", "--vhost", vhostOf(url), "as a test");

/**
 * Starts a proxy, which stops after the test, and returns its address. The function gets
 * the bytes from either side, and returns what to pass on.
 */
export async function proxyTo(
  url: string,
  change: (bytes: Buffer, from: "client" | "broker") => Buffer,
): Promise<string> {
  const { hostname, port } = new URL(url);
  const server = net.createServer((client) => {
    const broker = net.connect(Number(port), hostname);
    client.on("data", (bytes) => broker.write(change(bytes, "client")));
    broker.on("data", (bytes) => client.write(change(bytes, "broker")));
    for (const [from, to] of [[client, broker], [broker, client]] as const) {
      from.on("error", () => {}).on("close", () => to.destroy());
    }
    onTestFinished(() => void client.destroy());
  });
  const ownPort = await freePort();
  await once(server.listen(ownPort, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return Object.assign(new URL(url), { host: `127.0.0.1:${ownPort}` }).href;
}
