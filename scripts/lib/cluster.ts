/** A private RabbitMQ cluster: three nodes on this machine. https://www.rabbitmq.com/docs/clustering */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { callManagement } from "./broker-to-use.ts";
import { temporaryFolder } from "./clean-up.ts";
import {
  endEpmdAfterwards,
  freePort,
  type NodeOptions,
  type RabbitMQNode,
  startNode,
} from "./rabbitmq-node.ts";

/**
 * The options of {@linkcode startCluster}. The ports are those of the first node; the other nodes use the next two. By
 * default, the ports are free ones, and the folder is temporary.
 */
export type ClusterOptions = Omit<NodeOptions, "cluster">;

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
 * Starts three nodes at once. They find each other through the list in their rabbitmq.conf.
 * https://www.rabbitmq.com/docs/cluster-formation#peer-discovery-classic-config
 *
 * @param options the folder of RabbitMQ's programs, and any settings that differ from the defaults
 * @returns the cluster, as soon as all nodes have started
 * @throws Error with the end of a node's log, if that node does not start
 */
export async function startCluster(options: ClusterOptions): Promise<RabbitMQCluster> {
  const { port, managementPort } = options;
  const temporary = options.folder
    ? undefined
    : temporaryFolder("rabbitmq-by-example-");
  const home = options.folder ?? temporary?.path ?? "";
  const ports: [number, number, number] = port
    ? [port, port + 1, port + 2]
    : [await freePort(), await freePort(), await freePort()];
  const epmdPort = await freePort();
  const endEpmd = endEpmdAfterwards(epmdPort);
  writeCookie(home);

  const failed = new AbortController();
  const signals = options.signal ? [options.signal, failed.signal] : [failed.signal];
  const started: RabbitMQNode[] = [];
  const startMember = async (i: 0 | 1 | 2) => {
    try {
      const node = await startNode({
        ...options,
        folder: join(home, `node-${i + 1}`),
        port: ports[i],
        managementPort: managementPort && managementPort + i,
        cluster: { home, epmdPort, ports },
        signal: AbortSignal.any(signals),
      });
      started.push(node);
      return node;
    } catch (error) {
      failed.abort(error); // Stop starting the others.
      throw error;
    }
  };
  async function stop(): Promise<void> {
    // A temporary node has nothing to save.
    if (temporary) await Promise.all(started.map((node) => node.crash()));
    await Promise.all(started.map((node) => node.stop()));
    await endEpmd();
    temporary?.remove();
  }

  const members = [startMember(0), startMember(1), startMember(2)] as const;
  try {
    const nodes = await Promise.all(members);
    await checkCluster(nodes[0]);
    return { nodes: [...nodes], url: nodes.map(({ url }) => url).join(), stop };
  } catch (error) {
    await Promise.allSettled(members);
    await stop();
    throw error;
  }
}

/** Checks that the nodes are one cluster: each could have formed its own. */
async function checkCluster({ url, managementUrl }: RabbitMQNode): Promise<void> {
  const all = await callManagement({ url, managementUrl }, "GET", "nodes?columns=name");
  if (!Array.isArray(all) || all.length !== 3) {
    throw new Error("The nodes are running, but have not formed a cluster.");
  }
}

/** Writes the cookie, the secret that the nodes share, unless it exists. */
function writeCookie(home: string): void {
  const file = join(home, ".erlang.cookie");
  mkdirSync(home, { recursive: true });
  if (!existsSync(file)) {
    writeFileSync(file, randomBytes(20).toString("hex"), { mode: 0o400 });
  }
}
