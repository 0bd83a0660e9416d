/** A private RabbitMQ node: it listens on loopback only, and leaves no process behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { delimiter, join, resolve } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { runAfterExit, temporaryFolder } from "./clean-up.ts";

/** How long a node may take to start, in milliseconds. On two cores, 3,000 is usual. */
const NODE_TIMEOUT = 120_000;

/** Where packages install the programs that run as the current user (Debian and Fedora; Homebrew on ARM and Intel). */
const PACKAGE_FOLDERS = [
  "/usr/lib/rabbitmq/bin",
  "/opt/homebrew/opt/rabbitmq/sbin",
  "/usr/local/opt/rabbitmq/sbin",
];

/** Where packages install wrappers that change the user and discard the environment. */
const WRAPPER_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * Finds RabbitMQ's programs: in $RABBITMQ_HOME/sbin if that is set, or else on PATH and where packages install them.
 *
 * @returns the folder that contains rabbitmq-server, or undefined if RabbitMQ is not installed
 * @throws Error if RABBITMQ_HOME is set, but does not contain an executable rabbitmq-server
 */
export function findRabbitMQ(): string | undefined {
  const home = process.env.RABBITMQ_HOME;
  if (home) {
    const folder = resolve(home, "sbin");
    if (canRun(join(folder, "rabbitmq-server"))) return folder;
    throw new Error(
      `RABBITMQ_HOME is set, but ${
        join(folder, "rabbitmq-server")
      } does not exist or is not executable.`,
    );
  }
  const onPath = (process.env.PATH ?? "").split(delimiter).filter((folder) =>
    !WRAPPER_FOLDERS.includes(folder)
  );
  return [...onPath, ...PACKAGE_FOLDERS].find((folder) =>
    canRun(join(folder, "rabbitmq-server"))
  );
}

/** The options of {@linkcode startNode}. By default, the ports are free ones, and the folder is temporary. */
export interface NodeOptions {
  /** The folder that contains rabbitmq-server, from {@linkcode findRabbitMQ}. */
  programs: string;
  /** The folder for the node's data and logs, kept when the node stops. */
  folder?: string;
  /** The port for AMQP. */
  port?: number;
  /** The port for the management UI and its HTTP API. */
  managementPort?: number;
  /** Additional lines for rabbitmq.conf. https://www.rabbitmq.com/docs/configure#config-file */
  settings?: string[];
  /** Additional arguments for the Erlang VM, for settings that rabbitmq.conf does not have. */
  erlangArguments?: string;
  /** The settings of its cluster, if it is a member of one. */
  cluster?: ClusterSettings;
  /** Aborts the start. */
  signal?: AbortSignal;
}

/** The settings that the nodes of a cluster share. https://www.rabbitmq.com/docs/clustering */
export interface ClusterSettings {
  /** The folder of the Erlang cookie, the secret by which the nodes authenticate. */
  home: string;
  /** The port of the Erlang port mapper (epmd), which tells nodes each other's ports. */
  epmdPort: number;
  /** The AMQP ports of the nodes, which are part of their names. */
  ports: number[];
}

/** A running node. */
export interface RabbitMQNode {
  /** The port for AMQP. */
  port: number;
  /** Its address, for AMQP_URL. */
  url: string;
  /** The address of its management UI. */
  managementUrl: string;
  /** The variables by which rabbitmqctl finds this node, in addition to {@linkcode cleanEnvironment}. */
  controlEnvironment: Record<string, string>;
  /** The process id of its Erlang VM, which changes with every start. */
  pid(): number;
  /** Stops it cleanly, until {@linkcode RabbitMQNode.start}. */
  pause(): Promise<void>;
  /** Kills it (-9), without a chance to clean up. */
  crash(): Promise<void>;
  /** Starts it again after a pause or a crash. */
  start(): Promise<void>;
  /** Suspends its process (-STOP), as if the machine hung. */
  freeze(): void;
  /** Resumes its process (-CONT). */
  unfreeze(): void;
  /** Runs rabbitmqctl on it. https://www.rabbitmq.com/docs/man/rabbitmqctl.8 */
  control(...args: string[]): Promise<void>;
  /** Resolves when its process ends, for whatever reason. */
  ended(): Promise<void>;
  /** Stops all its processes, except the port mapper of a cluster, and removes its folder if that is temporary. */
  stop(): Promise<void>;
}

/**
 * Starts a node on the loopback addresses, with its own data folder, home and name.
 * https://www.rabbitmq.com/docs/configure#supported-environment-variables
 *
 * @param options the folder of RabbitMQ's programs, and any settings that differ from the defaults
 * @returns the node, as soon as it has started
 * @throws Error with the end of the node's log, if it does not start
 */
export async function startNode(options: NodeOptions): Promise<RabbitMQNode> {
  const temporary = options.folder
    ? undefined
    : temporaryFolder("rabbitmq-by-example-");
  const folder = options.folder ?? temporary?.path ?? "";
  for (const port of [options.port, options.managementPort]) if (port) taken.add(port);
  const port = options.port ?? await freePort();
  const managementPort = options.managementPort ?? await freePort();
  const distributionPort = await freePort();
  const epmdPort = options.cluster?.epmdPort ?? await freePort();
  const managementUrl = `http://127.0.0.1:${managementPort}`;
  const file = (name: string) => join(folder, name);
  mkdirSync(file("data"), { recursive: true });
  const addresses = Object.values(networkInterfaces()).flat().map((network) =>
    network?.address
  );
  writeFileSync(
    file("rabbitmq.conf"),
    [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      addresses.includes("::1") ? `listeners.tcp.2 = ::1:${port}` : "",
      "management.tcp.ip = 127.0.0.1",
      `management.tcp.port = ${managementPort}`,
      ...options.cluster ? clusterFormation(options.cluster) : [],
      ...options.settings ?? [],
      "",
    ].join("\n"),
  );
  writeFileSync(file("enabled_plugins"), "[rabbitmq_management].\n");
  const loopbackOnly = "-kernel inet_dist_use_interface {127,0,0,1}";
  const controlEnvironment = {
    HOME: options.cluster?.home ?? folder, // For .erlang.cookie.
    RABBITMQ_NODENAME: nodeName(port),
    RABBITMQ_CONF_ENV_FILE: file("rabbitmq-env.conf"), // Does not exist, so that no system-wide settings apply.
    RABBITMQ_CTL_ERL_ARGS: loopbackOnly,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: "127.0.0.1",
  };
  const nodeEnv = {
    ...cleanEnvironment(),
    ...controlEnvironment,
    RABBITMQ_MNESIA_BASE: file("data"),
    RABBITMQ_LOG_BASE: file("log"),
    RABBITMQ_CONFIG_FILE: file("rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: file("enabled_plugins"),
    RABBITMQ_PID_FILE: file("pid"),
    RABBITMQ_DIST_PORT: String(distributionPort),
    // Schedulers busy-wait only briefly, to leave the CPU to the lessons. With "none", a node takes twice as long to start.
    // https://www.rabbitmq.com/docs/runtime#busy-waiting
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      `${loopbackOnly} +sbwt very_short +sbwtdcpu very_short +sbwtdio very_short ${
        options.erlangArguments ?? ""
      }`,
  };
  const endEpmd = options.cluster ? undefined : endEpmdAfterwards(epmdPort);

  let server: ChildProcess | undefined;
  const killGroup = () => {
    if (isRunning(server) && server.pid) process.kill(-server.pid, "SIGKILL");
  };
  const pid = () => Number(readFileSync(file("pid"), "utf8"));
  const signalVM = (signal: NodeJS.Signals) => {
    try {
      process.kill(pid(), signal);
    } catch {
      killGroup(); // It has not written its process id yet, or has just ended.
    }
  };

  async function start(): Promise<void> {
    rmSync(file("pid"), { force: true });
    const log = openSync(file("output.log"), "w");
    server = spawn(join(options.programs, "rabbitmq-server"), [], {
      cwd: folder,
      env: nodeEnv,
      stdio: ["ignore", log, log],
      detached: true, // In its own process group, so that Ctrl-C in the terminal does not reach it.
    });
    const failed = once(server, "exit"); // Rejects if the program cannot be started at all.
    server.once("exit", runAfterExit(`kill -KILL -${server.pid}`));
    let over = false;
    failed.then(() => over = true, () => over = true);
    const deadline = Date.now() + NODE_TIMEOUT;
    // Before this line, it already accepts connections, but a virtual host created on another node may fail.
    const output = () => readFileSync(file("output.log"), "utf8");
    while (!/ completed with \d+ plugins/.test(output())) {
      if (over || options.signal?.aborted || Date.now() > deadline) {
        await end("SIGKILL");
        options.signal?.throwIfAborted();
        const tail = output().trim().split("\n").slice(-15).join("\n");
        throw new Error(`RabbitMQ did not start. The end of its log:\n${tail}`);
      }
      await sleep(100);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!isRunning(server)) return;
    const exited = once(server, "exit");
    // The started program waits for the Erlang VM, and passes SIGTERM on to it.
    if (signal === "SIGTERM") server.kill(signal);
    else signalVM(signal);
    await exited;
    while (await accepts(port) || await accepts(managementPort)) await sleep(20);
  }

  async function stop(): Promise<void> {
    await end(options.folder ? "SIGTERM" : "SIGKILL"); // A temporary node has nothing to save.
    await endEpmd?.();
    temporary?.remove();
  }

  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    managementUrl,
    controlEnvironment,
    pid,
    start,
    pause: () => end("SIGTERM"),
    crash: () => end("SIGKILL"),
    freeze: () => signalVM("SIGSTOP"),
    unfreeze: () => signalVM("SIGCONT"),
    control: async (...args) => {
      const control = spawn(join(options.programs, "rabbitmqctl"), args, {
        env: nodeEnv,
        stdio: "ignore",
      });
      const [code] = await once(control, "exit");
      if (code !== 0) {
        throw new Error(`rabbitmqctl ${args.join(" ")} ended with ${code}`);
      }
    },
    ended: async () => {
      if (isRunning(server)) await once(server, "exit");
    },
    stop,
  };
}

/**
 * Returns the environment of this process without the settings of other RabbitMQ and Erlang installations.
 *
 * @returns the variables and their values
 */
export function cleanEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(RABBITMQ|ERL)_/.test(name)),
  );
}

/**
 * Makes sure that an Erlang port mapper (epmd), which a node starts and leaves running, ends when this process has ended.
 * https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#kill_req
 *
 * @param port its port
 * @returns a function that stops it now, after its nodes have stopped
 */
export function endEpmdAfterwards(port: number): () => Promise<void> {
  // It ends on request ("k"), but not while a node is registered, and it notices only after a moment that one has ended.
  const command = "for i in {1..100}; do " +
    `(exec 3<>/dev/tcp/127.0.0.1/${port} && printf '\\0\\1k' >&3 && cat <&3) || break; sleep 0.02; done`;
  const done = runAfterExit(command);
  return async () => {
    await once(spawn("bash", ["-c", command], { stdio: "ignore" }), "exit");
    done();
  };
}

/** The Erlang node name of the node with an AMQP port. */
function nodeName(port: number): string {
  return `rabbitmq-by-example-${port}@localhost`;
}

/** The lines of rabbitmq.conf that list the nodes of a cluster. https://www.rabbitmq.com/docs/cluster-formation#peer-discovery-classic-config */
function clusterFormation({ ports }: ClusterSettings): string[] {
  return [
    "cluster_formation.peer_discovery_backend = classic_config",
    "cluster_formation.discovery_retry_interval = 200", // In milliseconds. RabbitMQ 3.10 first waits ten of these.
    ...ports.map((port, i) =>
      `cluster_formation.classic_config.nodes.${i + 1} = ${nodeName(port)}`
    ),
  ];
}

/** Tells whether a process has been started and has not ended yet. */
function isRunning(child: ChildProcess | undefined): child is ChildProcess {
  return child !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Tells whether a file exists and is executable. */
function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The ports that are in use, or will be when their node has started. */
const taken = new Set<number>();

/** The range of ports to choose from. Each of vitest's workers has its own, because a chosen port is free for a while. */
const RANGE = 2000;
const FIRST_PORT = 20_000 + Number(process.env.VITEST_POOL_ID ?? 0) % 6 * RANGE;

/**
 * Finds a port on which nothing is listening. It is below the range of ephemeral ports, so no outgoing
 * connection can take it.
 *
 * @returns the port, a different one for each call
 */
export async function freePort(): Promise<number> {
  const port = FIRST_PORT + Math.floor(Math.random() * RANGE);
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return freePort();
  }
  server.close();
  if (taken.has(port)) return freePort();
  taken.add(port);
  return port;
}

/**
 * Tells whether a port of this machine accepts connections.
 *
 * @param port the port
 * @returns whether something is listening on it
 */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
