/** A private RabbitMQ node: how it starts, and the ways in which it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { runAfterExit } from "./clean-up.ts";
import { nodeEnvironment, writeConfiguration } from "./configuration.ts";
import { accepts, portsOf } from "./ports.ts";

/** The options of a node. */
export interface NodeOptions {
  /** The folder of RabbitMQ's programs. */
  programs: string;
  /** More lines for rabbitmq.conf. https://www.rabbitmq.com/docs/configure#config-file */
  settings?: string[];
  /** More arguments for the Erlang VM, for settings that rabbitmq.conf does not have. */
  erlangArguments?: string;
  /** Aborts the start. */
  signal?: AbortSignal;
}

/** A node that is running, or that can be started again. */
export type RabbitMQNode = ReturnType<typeof createNode>;

/**
 * Creates a node that is not running yet, with its AMQP port, its folder, and the
 * environment in which rabbitmqctl finds it.
 */
export function createNode(
  port: number,
  folder: string,
  controlEnvironment: Record<string, string | undefined>,
  { programs, settings = [], erlangArguments = "", signal }: NodeOptions,
) {
  writeConfiguration(port, folder, settings);
  const env = {
    ...controlEnvironment,
    ...nodeEnvironment(port, folder, erlangArguments),
  };
  const { ui } = portsOf(port);
  const pidFile = join(folder, "pid");
  const outputFile = join(folder, "output.log");
  const versionFile = join(folder, "version");
  let server: ChildProcess | undefined;

  function isRunning(): boolean {
    if (server?.pid === undefined) return false;
    return server.exitCode === null && server.signalCode === null;
  }

  async function start(): Promise<void> {
    // The version that has written its data.
    const data = fs.existsSync(versionFile) ? fs.readFileSync(versionFile, "utf8") : "";
    fs.rmSync(pidFile, { force: true });
    const output = fs.openSync(outputFile, "w");
    server = spawn(join(programs, "rabbitmq-server"), [], {
      cwd: folder,
      env,
      stdio: ["ignore", output, output],
      detached: true, // In a process group of its own, which Ctrl-C does not reach.
    });
    server.once("exit", runAfterExit(`kill -KILL -${server.pid}`));
    await once(server, "spawn"); // Rejects if the program cannot be started at all.

    const deadline = Date.now() + 120_000; // On two cores, 3,000 ms are usual.
    const log = () => fs.readFileSync(outputFile, "utf8");
    // Before this line, it already accepts connections, but is not ready. (rabbitmqctl
    // await_startup waits for the same, but takes half a second of CPU time to start.)
    while (!/ completed with \d+ plugins/.test(log())) {
      // RabbitMQ 4.0 hangs on the data of 4.3. https://www.rabbitmq.com/docs/upgrade
      const isHopeless = isOlder(versionIn(log()), data) || Date.now() > deadline;
      if (!isRunning() || signal?.aborted || isHopeless) {
        await end("SIGKILL");
        signal?.throwIfAborted();
        throw new Error(`RabbitMQ did not start. ${explain(log(), data, folder)}`);
      }
      await sleep(100);
    }
    fs.writeFileSync(versionFile, versionIn(log()));
  }

  function signalAll(name: NodeJS.Signals): void {
    if (isRunning() && server?.pid) process.kill(-server.pid, name);
  }

  async function end(name: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!server || !isRunning()) return;
    const exited = once(server, "exit");
    // The started program waits for the Erlang VM, and passes SIGTERM on to it.
    if (name === "SIGTERM") server.kill(name);
    else signalAll(name);
    await exited;
    while (await accepts(port) || await accepts(ui)) await sleep(20);
  }

  return {
    port,
    /** Its address, for AMQP_URL. */
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    managementUrl: `http://127.0.0.1:${ui}`,
    programs,
    controlEnvironment,
    /** The process id of its Erlang VM, which changes with every start. */
    pid: () => Number(fs.readFileSync(pidFile, "utf8")),
    /** Starts it, also again after a pause or a crash. */
    start,
    /** Stops it cleanly. */
    pause: () => end("SIGTERM"),
    /** Kills it (-9), without a chance to clean up. */
    crash: () => end("SIGKILL"),
    /** Sends a signal to all its processes. */
    signal: signalAll,
    /** Resolves when its process ends, for whatever reason. */
    async ended(): Promise<void> {
      if (server && isRunning()) await once(server, "exit");
    },
  };
}

/** Says why a node did not start: the version of its data, or the end of its log. */
function explain(log: string, data: string, folder: string): string {
  const version = versionIn(log);
  if (data && version && version !== data) {
    return `The data in ${folder} is from RabbitMQ ${data}, not from ${version}. ` +
      `Run RabbitMQ ${data} again, or delete that folder.`;
  }
  return `The end of its log:\n${log.trim().split("\n").slice(-15).join("\n")}`;
}

/** Returns the version of RabbitMQ in its log; "" if the log does not say it yet. */
function versionIn(log: string): string {
  const [, version] = / RabbitMQ (\d+\.\d+)/.exec(log) ?? [];
  if (version) return version;
  return /required_feature_flag/.test(log) ? "this version" : "";
}

/** Tells whether the version of a node is older than that of its data, if it is known. */
function isOlder(version: string, data: string): boolean {
  if (!version) return false;
  return version.localeCompare(data, "en", { numeric: true }) < 0;
}
