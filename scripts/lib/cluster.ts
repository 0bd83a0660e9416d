/**
 * A private RabbitMQ cluster: three nodes on this machine.
 * https://www.rabbitmq.com/docs/clustering
 */
import { callManagement } from "./broker-to-use.ts";
import { type NodeOptions, type RabbitMQNode, startNodes } from "./rabbitmq-node.ts";

/** A running cluster. */
export interface RabbitMQCluster {
  /** Its nodes. */
  nodes: [RabbitMQNode, RabbitMQNode, RabbitMQNode];
  /** The addresses of the nodes, separated by commas, for AMQP_URL. */
  url: string;
  /** Stops all its processes, and removes its folder if that is temporary. */
  stop(): Promise<void>;
}

/**
 * Starts a cluster of three nodes.
 *
 * @param options as for `startNode`; `port` is the first node's, and the others use the
 *   next two
 * @returns the cluster, as soon as all nodes have started
 * @throws Error with the reason or the end of a log, if a node does not start
 */
export async function startCluster(options: NodeOptions): Promise<RabbitMQCluster> {
  const { nodes: [first, second, third], stop } = await startNodes(3, options);
  const members = first && await callManagement(first, "GET", "nodes?columns=name");
  if (!first || !second || !third || !Array.isArray(members) || !members[2]) {
    await stop(); // Each node could have formed its own.
    throw new Error("The nodes are running, but have not formed a cluster.");
  }
  const nodes: RabbitMQCluster["nodes"] = [first, second, third];
  return { nodes, url: nodes.map(({ url }) => url).join(), stop };
}
