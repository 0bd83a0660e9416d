/** What every program needs: to say what is wrong, to listen, and to end. */
import { once } from "node:events";
import type { Server } from "node:http";
import process from "node:process";
import { inspect } from "node:util";

/** Quotes text from the network on one line, so that it cannot control the terminal. */
export const quoted = (text: string) => inspect(text, { breakLength: Infinity });

/** Says what is wrong and what to do about it, and ends the program. */
export function end(message: string): never {
  console.error(`[!] ${message}`);
  process.exit(1);
}

/** Returns what an error says. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // If a host has several addresses, and none of them accepts, there is no message.
  return error.message || "nothing is listening there";
}

/** Returns a function that says each thing that is wrong once, until it is over. */
export function sayOnce(over: string): (problem: string | undefined) => void {
  const said = new Set<string>();
  return (problem) => {
    if (problem === undefined) {
      if (said.size > 0) console.error(`[!] ${over}`);
      said.clear();
      return;
    }
    if (!said.has(problem)) console.error(`[!] ${problem}`);
    said.add(problem);
  };
}

/** Listens on this machine only. @returns the port, which the system chooses for 0 */
export async function listen(server: Server, port: number): Promise<number> {
  await once(server.listen(port, "127.0.0.1"), "listening").catch(({ code }) => {
    end(`Cannot listen on port ${port} (${code}): set PORT to another one`);
  });
  const address = server.address();
  return typeof address === "object" && address ? address.port : port;
}

/**
 * On Ctrl-C, or when the system stops the program, cleans up and ends with exit code 0.
 *
 * @param limit for cleaning up, in milliseconds: a silent broker would take for ever
 */
export function onLeave(limit: number, cleanUp: () => Promise<void>): void {
  let isLeaving = false;
  async function leave(): Promise<void> {
    if (isLeaving) return; // Ctrl-C again.
    isLeaving = true;
    setTimeout(() => process.exit(0), limit);
    await cleanUp();
    process.exit(0);
  }
  process.on("SIGINT", leave).on("SIGTERM", leave);
}
