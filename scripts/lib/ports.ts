/** The ports of a RabbitMQ node: which they are, and whether they are free. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";

/**
 * Returns the ports of a node, which follow from its AMQP port, at most 35,000. "epmd" is
 * the Erlang port mapper, which tells nodes and rabbitmqctl where the nodes are. A cluster
 * uses that of its first node. https://www.rabbitmq.com/docs/networking#ports
 */
export function portsOf(amqp: number) {
  return { amqp, epmd: amqp + 5000, ui: amqp + 10_000, distribution: amqp + 20_000 };
}

/** Tells whether something is listening on a port of this machine. */
export function accepts(port: number, address = "127.0.0.1"): Promise<boolean> {
  const socket = connect(port, address);
  return once(socket, "connect").then(() => true, () => false).finally(() => {
    socket.destroy();
  });
}

/** Tells whether all the ports of the node with this AMQP port are free. */
export async function areFree(amqp: number): Promise<boolean> {
  for (const port of Object.values(portsOf(amqp))) {
    if (await accepts(port)) return false;
  }
  return true;
}

/**
 * Returns an AMQP port for a private node, such that all its ports are free. They are
 * below the range of ephemeral ports, so no outgoing connection can take them. It is
 * random, so that two programs that start at once do not take the same.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 12_700);
    if (await areFree(port)) return port;
  }
}
