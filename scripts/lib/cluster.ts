/** Starts private RabbitMQ nodes, one or several, which leave no process behind. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryFolder } from "./clean-up.ts";
import { clusterSettings, controlEnvironment, writeCookie } from "./configuration.ts";
import { endEpmdAfterwards } from "./epmd.ts";
import { callManagement } from "./management.ts";
import { portsOf } from "./ports.ts";
import { createNode, type NodeOptions, type RabbitMQNode } from "./rabbitmq-node.ts";

/** The options of {@linkcode startCluster}. */
export interface StartOptions extends NodeOptions {
  /** The AMQP port of the first node, from which its others follow. */
  port: number;
  /** The folder for data, logs and the cookie; by default, a temporary one. */
  folder?: string;
}

/** Running nodes, and how to stop them all. */
export type RabbitMQCluster = Awaited<ReturnType<typeof startCluster>>;

/**
 * Starts a node or a cluster on the loopback addresses, with a data folder, a home and
 * names of its own: the first node on the given port and each other one on the next.
 * Returns it as soon as it has started. Throws an error with the reason, or the end of the
 * log.
 */
export async function startCluster(options: StartOptions, size: number) {
  const first = options.port;
  const others = Array.from({ length: size - 1 }, (_, i) => first + 1 + i);
  const temporary = options.folder ? undefined : temporaryFolder("rabbitmq-");
  const home = options.folder ?? temporary?.path ?? "";
  let folder = home;
  const settings = [...options.settings ?? []];
  if (size > 1) {
    folder = join(home, `cluster-${first}`);
    settings.push(...clusterSettings([first, ...others]));
  }

  writeCookie(home);
  const { epmd } = portsOf(first);
  const create = (port: number) => {
    const environment = controlEnvironment(home, port, epmd);
    const path = join(folder, `${port}`);
    return createNode(port, path, environment, { ...options, settings });
  };
  const nodes: [RabbitMQNode, ...RabbitMQNode[]] = [
    create(first),
    ...others.map(create),
  ];
  const endEpmd = endEpmdAfterwards(epmd);

  async function endAll(how: "pause" | "crash"): Promise<void> {
    await Promise.all(nodes.map((node) => node[how]()));
    await endEpmd();
    temporary?.remove();
  }

  try {
    // Nodes of 3.10 that start in the same moment may misread each other's feature flags.
    await Promise.all(nodes.map((node, i) => sleep(i * 1000).then(node.start)));
    if (size > 1) await checkSize(nodes[0], size);
  } catch (error) {
    await endAll("crash");
    throw error;
  }
  // In a temporary folder, nothing is saved.
  return { nodes, stop: () => endAll(temporary ? "crash" : "pause") };
}

/** Throws an error if a node does not know the others. */
async function checkSize(node: RabbitMQNode, size: number): Promise<void> {
  const all = await callManagement(node, "GET", "nodes?columns=name");
  if (!Array.isArray(all) || all.length < size) {
    throw new Error("The nodes form no cluster.");
  }
}
