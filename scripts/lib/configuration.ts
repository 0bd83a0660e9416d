/** The configuration of a RabbitMQ node: its name, environment, files and cookie. */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { portsOf } from "./ports.ts";

const nodeName = (port: number) => `rabbitmq-by-example-${port}@localhost`;
const LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1}";

/**
 * Returns the environment in which rabbitmqctl finds a node, without the settings of other
 * installations: the folder of .erlang.cookie, which is the secret of the nodes, the AMQP
 * port, and that of epmd. https://www.rabbitmq.com/docs/cli#node-names
 */
export function controlEnvironment(home: string, port: number, epmd: number) {
  const all = Object.entries(process.env);
  return {
    ...Object.fromEntries(all.filter(([name]) => !/^(RABBITMQ|ERL)_/.test(name))),
    HOME: home,
    RABBITMQ_NODENAME: nodeName(port),
    // This file does not exist, so that no system-wide settings apply.
    RABBITMQ_CONF_ENV_FILE: join(home, "rabbitmq-env.conf"),
    RABBITMQ_CTL_ERL_ARGS: LOOPBACK_ONLY,
    ERL_EPMD_PORT: String(epmd),
    ERL_EPMD_ADDRESS: "127.0.0.1",
  };
}

/**
 * Returns what the environment of a node has besides {@linkcode controlEnvironment}: its
 * AMQP port, its folder, and more arguments for the Erlang VM.
 * https://www.rabbitmq.com/docs/configure#supported-environment-variables
 */
export function nodeEnvironment(port: number, folder: string, erlangArguments: string) {
  return {
    RABBITMQ_MNESIA_BASE: join(folder, "data"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    RABBITMQ_PID_FILE: join(folder, "pid"),
    RABBITMQ_DIST_PORT: String(portsOf(port).distribution),
    // Schedulers busy-wait only briefly, to leave the CPU to the lessons. With "none", a
    // node takes twice as long to start. https://www.rabbitmq.com/docs/runtime#busy-waiting
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${LOOPBACK_ONLY} +sbwt very_short ` +
      `+sbwtdcpu very_short +sbwtdio very_short ${erlangArguments}`,
  };
}

/**
 * Writes the files that a node reads, into its folder: it listens on loopback only, with
 * the management plugin and these settings, which are lines of rabbitmq.conf.
 * https://www.rabbitmq.com/docs/configure#config-file
 */
export function writeConfiguration(port: number, folder: string, settings: string[]) {
  fs.mkdirSync(join(folder, "data"), { recursive: true });
  fs.writeFileSync(join(folder, "enabled_plugins"), "[rabbitmq_management].\n");
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    "management.tcp.ip = 127.0.0.1",
    `management.tcp.port = ${portsOf(port).ui}`,
    ...settings,
  ];
  const addresses = Object.values(networkInterfaces()).flat();
  if (addresses.some((network) => network?.address === "::1")) {
    lines.push(`listeners.tcp.2 = ::1:${port}`);
  }
  fs.writeFileSync(join(folder, "rabbitmq.conf"), `${lines.join("\n")}\n`);
}

/**
 * Returns the settings through which the nodes on these AMQP ports form a cluster.
 * https://www.rabbitmq.com/docs/cluster-formation#peer-discovery-classic-config
 */
export function clusterSettings(ports: number[]): string[] {
  const name = "cluster_formation.classic_config.nodes";
  return [
    "cluster_formation.peer_discovery_backend = classic_config",
    // In milliseconds. RabbitMQ 3.10 first waits ten of these.
    "cluster_formation.discovery_retry_interval = 200",
    ...ports.map((port, i) => `${name}.${i + 1} = ${nodeName(port)}`),
  ];
}

/**
 * Creates the Erlang cookie, unless it exists. A node refuses one that others can read,
 * such as a copy of a folder. https://www.rabbitmq.com/docs/clustering#erlang-cookie
 */
export function writeCookie(home: string): void {
  const path = join(home, ".erlang.cookie");
  fs.mkdirSync(home, { recursive: true });
  if (!fs.existsSync(path)) {
    fs.writeFileSync(path, randomBytes(20).toString("hex"), { mode: 0o400 });
  }
  fs.chmodSync(path, 0o400);
}
