/** Where a message goes that could not be handled. */
import type { ConsumeMessage, Options } from "amqplib";
import type { Environment } from "./environment.ts";
import { InvalidOrder } from "./order.ts";
import { reasonOf } from "./output.ts";

/** An error that would be the same next time, so there is no next time. */
export class Hopeless extends Error {}

/** Tells where a failed message goes, and with which headers and delay. */
export function nextStop(
  name: string,
  { properties }: ConsumeMessage,
  error: unknown,
  { retryDelay, retryFor }: Environment,
): { queue: string; options: Options.Publish } {
  const earlier = properties.headers ?? {};
  const firstFailure = Number(earlier["first-failure"]) || Date.now();
  const headers = {
    attempts: 1 + (Number(earlier.attempts) || 0),
    "first-failure": firstFailure, // In milliseconds since 1970.
    reason: reasonOf(error).slice(0, 500), // All headers must fit into one frame.
  };
  const isHopeless = error instanceof InvalidOrder || error instanceof Hopeless;
  if (isHopeless || Date.now() - firstFailure > retryFor) {
    return { queue: `${name}.dead`, options: { headers } };
  }
  return { queue: `${name}.retry`, options: { headers, expiration: retryDelay } };
}
