/** Starts private RabbitMQ nodes, one or several, which leave no process behind. */
import { join } from "node:path";
import { temporaryFolder } from "./clean-up.ts";
import { clusterSettings, controlEnvironment, writeCookie } from "./configuration.ts";
import { endEpmdAfterwards } from "./epmd.ts";
import { callManagement } from "./management.ts";
import { portsOf } from "./ports.ts";
import { createNode, type NodeOptions, type RabbitMQNode } from "./rabbitmq-node.ts";

/** The options of {@linkcode startNode} and {@linkcode startCluster}. */
export interface StartOptions extends NodeOptions {
  /** The AMQP port, from which the others follow; that of the first node of a cluster. */
  port: number;
  /** The folder for data, logs and the cookie; by default, a temporary one. */
  folder?: string;
}

/** A single running node. */
export interface PrivateNode extends RabbitMQNode {
  /** Stops all its processes, and removes its folder if that is temporary. */
  stop(): Promise<void>;
}

/** Running nodes. */
export interface RabbitMQCluster {
  nodes: [RabbitMQNode, ...RabbitMQNode[]];
  /** Stops all their processes, and removes their folder if that is temporary. */
  stop(): Promise<void>;
}

/**
 * Starts a node on the loopback addresses, with its own data folder, home and name, and
 * returns it as soon as it has started. Throws an error with the reason, or the end of its
 * log.
 */
export async function startNode(options: StartOptions): Promise<PrivateNode> {
  const { nodes: [node], stop } = await startCluster(options, 1);
  return { ...node, stop };
}

/**
 * Starts a cluster of nodes, the first one on the given port and each other one on the
 * next, and returns it as soon as it has formed. Throws as {@linkcode startNode} does.
 */
export async function startCluster(
  options: StartOptions,
  size = 3,
): Promise<RabbitMQCluster> {
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
    return createNode(port, join(folder, `${port}`), environment, {
      ...options,
      settings,
    });
  };
  const nodes: RabbitMQCluster["nodes"] = [create(first), ...others.map(create)];
  const endEpmd = endEpmdAfterwards(epmd);

  async function endAll(how: "pause" | "crash"): Promise<void> {
    await Promise.all(nodes.map((node) => node[how]()));
    await endEpmd();
    temporary?.remove();
  }

  try {
    await Promise.all(nodes.map((node) => node.start()));
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
