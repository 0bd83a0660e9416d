/** A private node with what only tests do to it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { startCluster, type StartOptions } from "../../scripts/lib/cluster.ts";
import type { RabbitMQNode } from "../../scripts/lib/rabbitmq-node.ts";

/** A running node that tests may stop, freeze and configure. */
export interface TestNode extends RabbitMQNode {
  /** Stops all its processes, and removes its folder. */
  stop(): Promise<void>;
  /** Suspends its processes, as if the machine hung. */
  freeze(): void;
  /** Resumes its processes. */
  unfreeze(): void;
  /** Runs rabbitmqctl on it. https://www.rabbitmq.com/docs/man/rabbitmqctl.8 */
  control(...args: string[]): Promise<void>;
}

/** Starts a private node for tests. */
export async function startTestNode(options: StartOptions): Promise<TestNode> {
  const { nodes: [node], stop } = await startCluster(options, 1);
  return {
    ...node,
    stop,
    freeze: () => node.signal("SIGSTOP"),
    unfreeze: () => node.signal("SIGCONT"),
    async control(...args) {
      const program = join(node.programs, "rabbitmqctl");
      const env = node.controlEnvironment;
      const [code] = await once(spawn(program, args, { env, stdio: "ignore" }), "exit");
      if (code !== 0) throw new Error(`rabbitmqctl ${args} ended with ${code}`);
    },
  };
}
