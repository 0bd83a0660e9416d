/** Ctrl-C, SIGTERM and a closed terminal, for commands that have something to clean up first. */
import process from "node:process";

/** A signal that comes so soon, in milliseconds, is the same Ctrl-C: npm and tsx pass it on to us, who had it already. */
const SAME_SIGNAL = 100;

/**
 * Listens for the signals that ask a command to stop.
 *
 * @param hurry called for every one after the first: who asks twice does not want to wait for good order
 * @returns aborted by the first of them
 */
export function stopSignal(hurry: () => void): AbortSignal {
  const stopping = new AbortController();
  let since = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted && Date.now() - since > SAME_SIGNAL) hurry();
      since ||= Date.now();
      stopping.abort();
    });
  }
  return stopping.signal;
}
