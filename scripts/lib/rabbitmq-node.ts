/** A RabbitMQ node of our own: found on this machine, started on loopback only, gone without a trace afterwards. */
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
import { afterTheEnd, temporaryFolder } from "./clean-up.ts";

/** How long, in milliseconds, a node may take to start or to stop; about 7,000 is usual on two cores. */
const NODE_TIMEOUT = 120_000;

/** The places where packages put programs that run as whoever calls them (Debian, Fedora; Homebrew, ARM and Intel). */
const PACKAGE_FOLDERS = [
  "/usr/lib/rabbitmq/bin",
  "/opt/homebrew/opt/rabbitmq/sbin",
  "/usr/local/opt/rabbitmq/sbin",
];

/** These hold wrappers that change the user and lose the environment. */
const WRAPPER_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * Looks for RabbitMQ's programs: in $RABBITMQ_HOME/sbin if that is set, else on PATH and where packages put them.
 *
 * @returns the folder that holds rabbitmq-server, or undefined where RabbitMQ is not installed
 * @throws Error when RABBITMQ_HOME is set and holds no program that can be run
 */
export function findRabbitMQ(): string | undefined {
  const home = process.env.RABBITMQ_HOME;
  if (home) {
    const folder = resolve(home, "sbin");
    if (canRun(join(folder, "rabbitmq-server"))) return folder;
    throw new Error(
      `RABBITMQ_HOME is set, but there is no ${
        join(folder, "rabbitmq-server")
      } that can be run.`,
    );
  }
  const onPath = (process.env.PATH ?? "").split(delimiter).filter((folder) =>
    !WRAPPER_FOLDERS.includes(folder)
  );
  return [...onPath, ...PACKAGE_FOLDERS].find((folder) =>
    canRun(join(folder, "rabbitmq-server"))
  );
}

/** What {@linkcode startNode} may be told. Ports and folder are made up, and the folder removed, where they are not given. */
export interface NodeOptions {
  /** The folder that holds rabbitmq-server, from {@linkcode findRabbitMQ}. */
  programs: string;
  /** The folder for the node's data and logs; it is kept when the node stops. */
  folder?: string;
  /** The port for AMQP. */
  port?: number;
  /** The port for the management UI and its HTTP API. */
  managementPort?: number;
  /** More lines for rabbitmq.conf. https://www.rabbitmq.com/docs/configure#config-file */
  settings?: string[];
  /** Settings that rabbitmq.conf does not have, as arguments of the Erlang machine. */
  erlangArguments?: string;
  /** Whether it has the management plugin; true if nothing is said. */
  management?: boolean;
  /** What it shares with the other nodes, if it is one of a cluster. */
  cluster?: ClusterSettings;
  /** Ends the start before it is done. */
  signal?: AbortSignal;
}

/** What the nodes of a cluster share. https://www.rabbitmq.com/docs/clustering */
export interface ClusterSettings {
  /** The folder with the cookie, by which they trust each other. */
  home: string;
  /** The port of the Erlang port mapper, where they find each other. */
  epmdPort: number;
  /** The AMQP port of every node; their names are made of these. */
  ports: number[];
}

/** A running node. */
export interface RabbitMQNode {
  /** The port for AMQP. */
  port: number;
  /** The address for AMQP_URL. */
  url: string;
  /** The address of the management UI. */
  managementUrl: string;
  /** The environment in which rabbitmqctl finds this node, besides that of {@linkcode cleanEnvironment}. */
  controlEnvironment: Record<string, string>;
  /** The id of its process, the Erlang machine; another one after every start. */
  pid(): number;
  /** Stops it in good order; {@linkcode RabbitMQNode.start} brings it back. */
  pause(): Promise<void>;
  /** Kills it (-9), as a power cut would. */
  crash(): Promise<void>;
  /** Starts it again after a pause or a crash. */
  start(): Promise<void>;
  /** Stops its process (-STOP), as if the machine hung. */
  freeze(): void;
  /** Lets it go on (-CONT). */
  unfreeze(): void;
  /** Runs rabbitmqctl on it. https://www.rabbitmq.com/docs/man/rabbitmqctl.8 */
  control(...args: string[]): Promise<void>;
  /** Resolves when the node's process ends, whoever ended it. */
  ended(): Promise<void>;
  /** Ends it with every process that it began, and removes its folder unless that was given. The port mapper of a cluster stays. */
  stop(): Promise<void>;
}

/**
 * Starts a node on the loopback addresses, with the management plugin, its own data folder, home and name.
 * https://www.rabbitmq.com/docs/configure#supported-environment-variables
 *
 * @param options where the programs are, and what is not left to chance
 * @returns the node, when it takes connections
 * @throws Error with the end of the node's log when it does not start
 */
export async function startNode(options: NodeOptions): Promise<RabbitMQNode> {
  const temporary = options.folder
    ? undefined
    : temporaryFolder("rabbitmq-by-example-");
  const folder = options.folder ?? temporary?.path ?? "";
  const port = options.port ?? await freePort();
  const managementPort = options.managementPort ?? await freePort();
  const distributionPort = await freePort();
  const epmdPort = options.cluster?.epmdPort ?? await freePort();
  const { management = true } = options;
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
      ...management
        ? [`management.tcp.ip = 127.0.0.1`, `management.tcp.port = ${managementPort}`]
        : [],
      ...options.cluster ? clusterFormation(options.cluster) : [],
      ...options.settings ?? [],
      "",
    ].join("\n"),
  );
  writeFileSync(
    file("enabled_plugins"),
    management ? "[rabbitmq_management].\n" : "[].\n",
  );
  const loopbackOnly = "-kernel inet_dist_use_interface {127,0,0,1}";
  const controlEnvironment = {
    HOME: options.cluster?.home ?? folder, // For the node's secret, .erlang.cookie.
    RABBITMQ_NODENAME: nodeName(port),
    RABBITMQ_CONF_ENV_FILE: file("rabbitmq-env.conf"), // Not there: the machine's own settings are not ours.
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
    // The "sbwt" settings keep an idle node from spinning on a processor that the lessons could use.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      `${loopbackOnly} +sbwt none +sbwtdcpu none +sbwtdio none ${
        options.erlangArguments ?? ""
      }`,
  };
  const endEpmd = options.cluster ? undefined : endEpmdAfterwards(epmdPort);

  let server: ChildProcess | undefined;
  const killGroup = () => {
    if (isRunning(server) && server.pid) process.kill(-server.pid, "SIGKILL");
  };
  const pid = () => Number(readFileSync(file("pid"), "utf8"));
  const signalMachine = (signal: NodeJS.Signals) => {
    try {
      process.kill(pid(), signal);
    } catch {
      killGroup(); // It has not come to naming its process, or has just ended.
    }
  };

  async function start(): Promise<void> {
    rmSync(file("pid"), { force: true });
    const log = openSync(file("output.log"), "a");
    server = spawn(join(options.programs, "rabbitmq-server"), [], {
      cwd: folder,
      env: nodeEnv,
      stdio: ["ignore", log, log],
      detached: true, // A process group of its own: Ctrl-C in the terminal is ours to handle, not the node's.
    });
    const failed = once(server, "exit"); // Rejects when the program cannot be started at all.
    server.once("exit", afterTheEnd(`kill -KILL -${server.pid}`));
    let over = false;
    failed.then(() => over = true, () => over = true);
    const deadline = Date.now() + NODE_TIMEOUT;
    const isUp = async () =>
      (!management || await answers(managementUrl)) && await accepts(port);
    while (!await isUp()) {
      if (over || options.signal?.aborted || Date.now() > deadline) {
        await end("SIGKILL");
        options.signal?.throwIfAborted();
        const output = readFileSync(file("output.log"), "utf8").trim().split("\n")
          .slice(-15).join("\n");
        throw new Error(`RabbitMQ did not start. The end of its log:\n${output}`);
      }
      await sleep(100);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!isRunning(server)) return;
    const exited = once(server, "exit");
    // The program waits for the node itself, the Erlang machine: in good order it passes SIGTERM on.
    if (signal === "SIGTERM") server.kill(signal);
    else signalMachine(signal);
    await exited;
    while (await accepts(port) || await accepts(managementPort)) await sleep(20);
  }

  async function stop(): Promise<void> {
    await end(options.folder ? "SIGTERM" : "SIGKILL"); // What is removed need not be saved first.
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
    freeze: () => signalMachine("SIGSTOP"),
    unfreeze: () => signalMachine("SIGCONT"),
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
 * The environment of this process, without the settings of a RabbitMQ or an Erlang that is not ours.
 *
 * @returns the variables and their values
 */
export function cleanEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(RABBITMQ|ERL)_/.test(name)),
  );
}

/**
 * Sees to the end of the Erlang port mapper (epmd), which a node starts for itself and leaves behind: at the latest when this
 * process has ended, however it ended. https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#kill_req
 *
 * @param port the port it listens on
 * @returns ends it now; the nodes must have ended before
 */
export function endEpmdAfterwards(port: number): () => Promise<void> {
  // It ends when asked with a "k", but not while it knows a node, and it learns a moment late that ours is gone.
  const command = "for i in {1..100}; do " +
    `(exec 3<>/dev/tcp/127.0.0.1/${port} && printf '\\0\\1k' >&3 && cat <&3) || break; sleep 0.02; done`;
  const done = afterTheEnd(command);
  return async () => {
    await once(spawn("bash", ["-c", command], { stdio: "ignore" }), "exit");
    done();
  };
}

/** The name by which Erlang knows the node with this AMQP port. */
function nodeName(port: number): string {
  return `rabbitmq-by-example-${port}@localhost`;
}

/** The lines of rabbitmq.conf that list the nodes of a cluster. https://www.rabbitmq.com/docs/cluster-formation#peer-discovery-classic-config */
function clusterFormation({ ports }: ClusterSettings): string[] {
  return [
    "cluster_formation.peer_discovery_backend = classic_config",
    "cluster_formation.discovery_retry_interval = 200", // Milliseconds: 3.10 waits ten of them for others, in vain.
    ...ports.map((port, i) =>
      `cluster_formation.classic_config.nodes.${i + 1} = ${nodeName(port)}`
    ),
  ];
}

/** Whether a process was started and has not ended yet. */
function isRunning(child: ChildProcess | undefined): child is ChildProcess {
  return child !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Whether there is such a program, and we may run it. */
function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The ports that {@linkcode freePort} has found so far: none is given twice. */
const given = new Set<number>();

/**
 * Finds a port that nothing listens on, below those that the system gives to outgoing connections: so none of these can
 * take it before we do.
 *
 * @returns the port
 */
export async function freePort(): Promise<number> {
  const port = 20_000 + Math.floor(Math.random() * 12_000);
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return freePort();
  }
  server.close();
  if (given.has(port)) return freePort();
  given.add(port);
  return port;
}

/**
 * Tries a port of this machine.
 *
 * @param port the port
 * @returns whether something takes connections on it
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

/** Whether the management API is up. */
async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/api/overview`, {
      headers: { authorization: `Basic ${btoa("guest:guest")}`, connection: "close" },
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
