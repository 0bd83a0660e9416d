/** A RabbitMQ cluster of our own: three nodes on this machine. https://www.rabbitmq.com/docs/clustering */
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
 * What {@linkcode startCluster} may be told. The ports given are those of the first node, and those of the others follow. Ports
 * and folder are made up, and the folder removed, where they are not given.
 */
export type ClusterOptions = Omit<NodeOptions, "cluster" | "management">;

/** A running cluster. */
export interface RabbitMQCluster {
  /** Its nodes, each of which can be crashed, frozen, started again. */
  nodes: [RabbitMQNode, RabbitMQNode, RabbitMQNode];
  /** The addresses of all nodes with commas between them, for AMQP_URL. */
  url: string;
  /** Ends it with every process that it began, and removes its folder unless that was given. */
  stop(): Promise<void>;
}

/**
 * Starts three nodes at once, which find each other by the list in their rabbitmq.conf.
 * https://www.rabbitmq.com/docs/cluster-formation#peer-discovery-classic-config
 *
 * @param options where the programs are, and what is not left to chance
 * @returns the cluster, when every node takes connections and is a member
 * @throws Error with the end of a node's log when that node does not start
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
      failed.abort(error); // The others need not go on.
      throw error;
    }
  };
  async function stop(): Promise<void> {
    // What is removed need not be saved first.
    if (temporary) await Promise.all(started.map((node) => node.crash()));
    await Promise.all(started.map((node) => node.stop()));
    await endEpmd();
    temporary?.remove();
  }

  const members = [startMember(0), startMember(1), startMember(2)] as const;
  try {
    const nodes = await Promise.all(members);
    await makeSureOfCluster(nodes[0]);
    return { nodes: [...nodes], url: nodes.map(({ url }) => url).join(), stop };
  } catch (error) {
    await Promise.allSettled(members);
    await stop();
    throw error;
  }
}

/** Makes sure that a node knows the two others as members: each could have begun a cluster of its own. */
async function makeSureOfCluster({ url, managementUrl }: RabbitMQNode): Promise<void> {
  const all = await callManagement({ url, managementUrl }, "GET", "nodes?columns=name");
  if (!Array.isArray(all) || all.length !== 3) {
    throw new Error("The nodes run, but they have not formed a cluster.");
  }
}

/** Writes the secret that the nodes share, if it is not there yet: each would make up its own. */
function writeCookie(home: string): void {
  const file = join(home, ".erlang.cookie");
  mkdirSync(home, { recursive: true });
  if (!existsSync(file)) {
    writeFileSync(file, randomBytes(20).toString("hex"), { mode: 0o400 });
  }
}
