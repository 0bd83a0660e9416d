/** Private RabbitMQ nodes: they listen on loopback only, and leave no process behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { delimiter, join, resolve } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { end } from "../../shared/errors.ts";
import { runAfterExit, temporaryFolder } from "./clean-up.ts";
import { callManagement } from "./management.ts";

/** Where packages install the programs that run as the current user. */
const PACKAGE_FOLDERS = [
  "/usr/lib/rabbitmq/bin", // Debian and Fedora.
  "/opt/homebrew/opt/rabbitmq/sbin", // Homebrew, on ARM and on Intel.
  "/usr/local/opt/rabbitmq/sbin",
];

/** Where packages install wrappers that change the user and discard the environment. */
const WRAPPER_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

const LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1}";

/**
 * Returns the folder of RabbitMQ's programs: $RABBITMQ_HOME/sbin if that is set, or else
 * one on PATH or of a package; undefined if RabbitMQ is not installed. Ends the program if
 * RABBITMQ_HOME does not contain it.
 */
export function findRabbitMQ(): string | undefined {
  const home = process.env.RABBITMQ_HOME;
  const has = (folder: string) => fs.existsSync(join(folder, "rabbitmq-server"));
  if (home) {
    const folder = resolve(home, "sbin");
    return has(folder) ? folder : end(`No rabbitmq-server in RABBITMQ_HOME: ${folder}`);
  }
  const path = (process.env.PATH ?? "").split(delimiter);
  const onPath = path.filter((folder) => !WRAPPER_FOLDERS.includes(folder));
  return [...onPath, ...PACKAGE_FOLDERS].find(has);
}

/**
 * Returns the ports of a node, which follow from its AMQP port, at most 35,000. "epmd" is
 * the Erlang port mapper, which tells nodes and rabbitmqctl where the nodes are. A cluster
 * uses that of its first node. https://www.rabbitmq.com/docs/networking#ports
 */
export function portsOf(amqp: number) {
  return { amqp, epmd: amqp + 5000, ui: amqp + 10_000, distribution: amqp + 20_000 };
}

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

function nodeName(port: number): string {
  return `rabbitmq-by-example-${port}@localhost`;
}

/** The options of {@linkcode startNode}. */
export interface NodeOptions {
  /** The folder of RabbitMQ's programs, from {@linkcode findRabbitMQ}. */
  programs: string;
  /** The folder for its data, log and cookie; by default, a temporary one. */
  folder?: string;
  /** The port for AMQP, from which the others follow; by default, a free one. */
  port?: number;
  /** More lines for rabbitmq.conf. https://www.rabbitmq.com/docs/configure#config-file */
  settings?: string[];
  /** More arguments for the Erlang VM, for settings that rabbitmq.conf does not have. */
  erlangArguments?: string;
  /** Aborts the start. */
  signal?: AbortSignal;
}

/** A running node. */
export type RabbitMQNode = ReturnType<typeof prepareNode>;

/** Running nodes. */
export type RabbitMQCluster = Awaited<ReturnType<typeof startCluster>>;

/**
 * Starts a node on the loopback addresses, with its own data folder, home and name, and
 * returns it as soon as it has started. Throws an error with the reason, or the end of its
 * log. https://www.rabbitmq.com/docs/configure#supported-environment-variables
 */
export async function startNode(options: NodeOptions): Promise<RabbitMQNode> {
  const { nodes: [node], stop } = await startCluster(options, 1);
  return { ...node, stop };
}

/**
 * Starts a cluster of nodes, the first one on the given port and each other one on the
 * next. They find each other through their rabbitmq.conf. Returns them, and how to stop
 * them all, as soon as they have started. Throws as {@linkcode startNode} does.
 * https://www.rabbitmq.com/docs/cluster-formation#peer-discovery-classic-config
 */
export async function startCluster(options: NodeOptions, size = 3) {
  const temporary = options.folder ? undefined : temporaryFolder("rabbitmq-");
  const home = options.folder ?? temporary?.path ?? "";
  const first = options.port ?? await freePort(size);
  const others = Array.from({ length: size - 1 }, (_, i) => first + 1 + i);
  const folder = size === 1 ? home : join(home, `cluster-${first}`);
  const formation = size === 1 ? [] : [
    "cluster_formation.peer_discovery_backend = classic_config",
    // In milliseconds. RabbitMQ 3.10 first waits ten of these.
    "cluster_formation.discovery_retry_interval = 200",
    ...[first, ...others].map((port, i) =>
      `cluster_formation.classic_config.nodes.${i + 1} = ${nodeName(port)}`
    ),
  ];
  const { epmd } = portsOf(first);
  const make = (port: number) => {
    const environment = controlEnvironment(home, port, epmd);
    return prepareNode(port, join(folder, `${port}`), environment, options, formation);
  };
  writeCookie(home);
  const nodes: [RabbitMQNode, ...RabbitMQNode[]] = [make(first), ...others.map(make)];
  const endEpmd = endEpmdAfterwards(epmd);
  async function stop(how: "pause" | "crash"): Promise<void> {
    await Promise.all(nodes.map((node) => node[how]()));
    await endEpmd();
    temporary?.remove();
  }
  try {
    await Promise.all(nodes.map((node) => node.start()));
    const path = "nodes?columns=name";
    const all = size > 1 && await callManagement(nodes[0], "GET", path).catch(() => {});
    if (Array.isArray(all) && all.length < size) {
      throw new Error("The nodes form no cluster.");
    }
  } catch (error) {
    await stop("crash");
    throw error;
  }
  return {
    nodes,
    /** Their addresses, separated by commas, for AMQP_URL. */
    url: nodes.map(({ url }) => url).join(),
    /** Stops all processes. A temporary folder is removed: nothing is saved there. */
    stop: () => stop(temporary ? "crash" : "pause"),
  };
}

/** Prepares a node that is not running yet. */
function prepareNode(
  port: number,
  folder: string,
  environment: Record<string, string | undefined>,
  { programs, settings = [], erlangArguments = "", signal }: NodeOptions,
  formation: string[],
) {
  const { ui, distribution } = portsOf(port);
  const file = (name: string) => join(folder, name);
  const env = {
    ...environment,
    RABBITMQ_MNESIA_BASE: file("data"),
    RABBITMQ_LOG_BASE: file("log"),
    RABBITMQ_CONFIG_FILE: file("rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: file("enabled_plugins"),
    RABBITMQ_PID_FILE: file("pid"),
    RABBITMQ_DIST_PORT: String(distribution),
    // Schedulers busy-wait only briefly, to leave the CPU to the lessons. With "none", a
    // node takes twice as long to start. https://www.rabbitmq.com/docs/runtime#busy-waiting
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${LOOPBACK_ONLY} +sbwt very_short ` +
      `+sbwtdcpu very_short +sbwtdio very_short ${erlangArguments}`,
  };
  fs.mkdirSync(file("data"), { recursive: true });
  fs.writeFileSync(file("enabled_plugins"), "[rabbitmq_management].\n");
  const addresses = Object.values(networkInterfaces()).flat();
  const hasIPv6 = addresses.some((network) => network?.address === "::1");
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    hasIPv6 ? `listeners.tcp.2 = ::1:${port}` : "",
    "management.tcp.ip = 127.0.0.1",
    `management.tcp.port = ${ui}`,
    ...formation,
    ...settings,
  ];
  fs.writeFileSync(file("rabbitmq.conf"), `${lines.join("\n")}\n`);

  let server: ChildProcess | undefined;
  const isRunning = () =>
    server?.pid !== undefined && server.exitCode === null && server.signalCode === null;

  async function start(): Promise<void> {
    fs.rmSync(file("pid"), { force: true });
    const output = fs.openSync(file("output.log"), "w");
    server = spawn(join(programs, "rabbitmq-server"), [], {
      cwd: folder,
      env,
      stdio: ["ignore", output, output],
      detached: true, // In a process group of its own, which Ctrl-C does not reach.
    });
    server.once("exit", runAfterExit(`kill -KILL -${server.pid}`));
    await once(server, "spawn"); // Rejects if the program cannot be started at all.
    const deadline = Date.now() + 120_000; // On two cores, 3,000 ms are usual.
    const log = () => fs.readFileSync(file("output.log"), "utf8");
    fs.appendFileSync(file("version"), ""); // Creates it, if need be.
    const written = fs.readFileSync(file("version"), "utf8"); // The version of the data.
    const version = () =>
      / RabbitMQ (\d+\.\d+)/.exec(log())?.[1] ??
        (/required_feature_flag/.test(log()) ? "this version" : written);
    // RabbitMQ 4.0 hangs on the data of 4.3. https://www.rabbitmq.com/docs/upgrade
    const isTooOld = () =>
      version().localeCompare(written, "en", { numeric: true }) < 0;
    // Before this line, it already accepts connections, but is not ready. (rabbitmqctl
    // await_startup waits for the same, but takes half a second of CPU time to start.)
    while (!/ completed with \d+ plugins/.test(log())) {
      if (!isRunning() || signal?.aborted || isTooOld() || Date.now() > deadline) {
        await finish("SIGKILL");
        signal?.throwIfAborted();
        const reason = written && version() !== written
          ? `The data in ${folder} is from RabbitMQ ${written}, not from ${version()}. ` +
            `Run RabbitMQ ${written} again, or delete that folder.`
          : `The end of its log:\n${log().trim().split("\n").slice(-15).join("\n")}`;
        throw new Error(`RabbitMQ did not start. ${reason}`);
      }
      await sleep(100);
    }
    fs.writeFileSync(file("version"), version());
  }

  function signalAll(name: NodeJS.Signals): void {
    if (isRunning() && server?.pid) process.kill(-server.pid, name);
  }

  async function finish(name: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!server || !isRunning()) return;
    const exited = once(server, "exit");
    // The started program waits for the Erlang VM, and passes SIGTERM on to it.
    if (name === "SIGTERM") server.kill(name);
    else signalAll(name);
    await exited;
    while (await accepts(port) || await accepts(ui)) await sleep(20);
  }

  return {
    /** The port for AMQP. */
    port,
    /** Its address, for AMQP_URL. */
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    /** The address of its management UI. */
    managementUrl: `http://127.0.0.1:${ui}`,
    /** The environment in which rabbitmqctl finds it. */
    controlEnvironment: environment,
    /** The process id of its Erlang VM, which changes with every start. */
    pid: () => Number(fs.readFileSync(file("pid"), "utf8")),
    /** Starts it, also again after a pause or a crash. */
    start,
    /** Stops it cleanly. */
    pause: () => finish("SIGTERM"),
    /** Kills it (-9), without a chance to clean up. */
    crash: () => finish("SIGKILL"),
    /** Suspends its processes, as if the machine hung. */
    freeze: () => signalAll("SIGSTOP"),
    /** Resumes its processes. */
    unfreeze: () => signalAll("SIGCONT"),
    /** Stops all its processes, and removes its folder if that is temporary. */
    stop: () => finish("SIGTERM"),
    /** Runs rabbitmqctl on it. https://www.rabbitmq.com/docs/man/rabbitmqctl.8 */
    async control(...args: string[]): Promise<void> {
      const program = join(programs, "rabbitmqctl");
      const [code] = await once(spawn(program, args, { env, stdio: "ignore" }), "exit");
      if (code !== 0) throw new Error(`rabbitmqctl ${args} ended with ${code}`);
    },
    /** Resolves when its process ends, for whatever reason. */
    async ended(): Promise<void> {
      if (server && isRunning()) await once(server, "exit");
    },
  };
}

/**
 * Creates the Erlang cookie, unless it exists. A node refuses one that others can read,
 * such as a copy of a folder. https://www.rabbitmq.com/docs/clustering#erlang-cookie
 */
function writeCookie(home: string): void {
  const path = join(home, ".erlang.cookie");
  const cookie = randomBytes(20).toString("hex");
  fs.mkdirSync(home, { recursive: true });
  if (!fs.existsSync(path)) fs.writeFileSync(path, cookie, { mode: 0o400 });
  fs.chmodSync(path, 0o400);
}

/**
 * Makes sure that an Erlang port mapper, which a node starts and leaves running, ends when
 * this process has ended. Returns a function that stops it now, after its nodes.
 * https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#kill_req
 */
function endEpmdAfterwards(port: number): () => Promise<void> {
  // It ends on request ("k"), but not while a node is registered, and it notices only
  // after a moment that a node has ended.
  const kill = `exec 3<>/dev/tcp/127.0.0.1/${port} && printf '\\0\\1k' >&3 && cat <&3`;
  const command = `for i in {1..100}; do (${kill}) || break; sleep 0.02; done`;
  const done = runAfterExit(command);
  return async () => {
    await once(spawn("bash", ["-c", command], { stdio: "ignore" }), "exit");
    done();
  };
}

/** Each of vitest's workers has ports of its own, and each of its programs its turn. */
const workerPorts = 11_000 + Number(process.env.VITEST_POOL_ID ?? 0) % 5 * 340;
let nextPort = process.pid % 17 * 20;

/**
 * Returns a port that is free together with those that follow from it, another one for
 * each call; with a count, the first of consecutive ones. They are all below the range of
 * ephemeral ports, so no outgoing connection can take them.
 */
export async function freePort(count = 1): Promise<number> {
  const first = workerPorts + nextPort % 340;
  nextPort += count;
  for (let port = first; port < first + count; port++) {
    for (const each of Object.values(portsOf(port))) {
      if (await accepts(each)) return freePort(count);
    }
  }
  return first;
}

/** Tells whether something is listening on a port of this machine. */
export function accepts(port: number, address = "127.0.0.1"): Promise<boolean> {
  const socket = connect(port, address);
  return once(socket, "connect").then(() => true, () => false).finally(() => {
    socket.destroy();
  });
}
