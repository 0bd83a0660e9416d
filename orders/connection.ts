/** The connection to RabbitMQ: once, or again and again. */
import { setTimeout as sleep } from "node:timers/promises";
import { type ChannelModel, type ConfirmChannel, connect } from "amqplib";
import { reasonOf, Trouble } from "./output.ts";
import { declareTopology } from "./topology.ts";

/** An open connection, and its channel. */
export type Link = {
  connection: ChannelModel;
  channel: ConfirmChannel;
  /** Rejected when the connection is lost, and never fulfilled. */
  lost: Promise<never>;
  /** Gives the connection up. All that is unfinished on it fails. */
  fail: (error: Error) => void;
  /** To be called when all works: it ends the trouble, if there was any. */
  works: () => void;
};

/** RabbitMQ has answered, and it will not change its mind by itself. */
export class Refused extends Error {}

/** What to do when RabbitMQ refuses, by the first word of its reason. */
const ADVICE: Record<string, string> = {
  ACCESS_REFUSED: "Check AMQP_URL and the user's permissions",
  NOT_ALLOWED: "Check the virtual host in AMQP_URL, and the user's permissions",
  PRECONDITION_FAILED: "Delete it: it is then declared as these programs need it",
};

/** Connects, declares everything, calls `use`, and closes the connection. */
export async function withLink<T>(
  url: URL,
  name: string,
  use: (link: Link) => Promise<T>,
  works = () => {},
): Promise<T> {
  const connection = await open(url, name).catch(explainRefusal);
  // The "close" that follows has the same error.
  connection.on("error", () => {});
  let reject: (error: Error) => void = () => {};
  const lost = new Promise<never>((_, reject_) => reject = reject_);
  connection.on("close", (error) => reject(error ?? new Error("It was closed")));
  // It is closed at once, and not when somebody sees that `lost` is rejected: a
  // connection that is closing ignores the confirm that follows a returned message.
  function fail(error: Error): void {
    reject(error);
    connection.close().catch(() => {});
  }
  try {
    const opening = openChannel(connection, fail).catch(explainRefusal);
    const channel = await Promise.race([opening, lost]);
    return await Promise.race([use({ connection, channel, lost, fail, works }), lost]);
  } finally {
    // It is not awaited, because a silent broker would never answer.
    connection.close().catch(() => {});
  }
}

/** Does so again and again, a second after each loss, until the signal. */
export async function stayConnected(
  url: URL,
  name: string,
  use: (link: Link) => Promise<never>,
  { onRefused, signal }: { onRefused?: (error: Refused) => void; signal: AbortSignal },
): Promise<void> {
  const trouble = new Trouble();
  while (!signal.aborted) {
    try {
      await withLink(url, name, use, () => trouble.ends("RabbitMQ is back"));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused) onRefused?.(error);
      trouble.begins(`RabbitMQ is away: ${reasonOf(error)}`);
    }
    await sleep(1000);
  }
}

function open(url: URL, name: string): Promise<ChannelModel> {
  const address = new URL(url);
  // A broker that has become silent is noticed within 30 seconds.
  if (!address.searchParams.has("heartbeat")) {
    address.searchParams.set("heartbeat", "10");
  }
  return connect(address.href, {
    clientProperties: { connection_name: name }, // For the management UI.
    noDelay: true, // Otherwise, TCP may hold back a small message for 40 ms.
    timeout: 5000, // For connecting, in milliseconds.
  });
}

async function openChannel(
  connection: ChannelModel,
  fail: (error: Error) => void,
): Promise<ConfirmChannel> {
  const channel = await connection.createConfirmChannel();
  // A message is returned if its queues were deleted. The next connection declares them.
  channel.on("return", () => fail(new Error("a queue is missing")));
  await declareTopology(channel);
  return channel;
}

/** Throws the error, or, if it is a refusal, one that says so and what to do. */
function explainRefusal(error: unknown): never {
  const [words, code = ""] = /([A-Z]+_[A-Z]+) - [^"]*/.exec(reasonOf(error)) ?? [];
  const advice = ADVICE[code];
  throw advice ? new Refused(`${words}. ${advice}`) : error;
}
