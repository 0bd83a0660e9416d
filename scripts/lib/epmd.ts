/** Ends the Erlang port mapper (epmd), which a node starts and leaves running. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { runAfterExit } from "./clean-up.ts";

/**
 * Makes sure that the port mapper on a port ends when this process has ended. Returns a
 * function that ends it now, after its nodes.
 * https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#kill_req
 */
export function endEpmdAfterwards(port: number): () => Promise<void> {
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
