/** How a program ends. */
import process from "node:process";

/**
 * On Ctrl-C, or when the system stops the program, cleans up and ends with exit code 0.
 *
 * @param limit for cleaning up, in milliseconds: it may need someone who is silent
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
