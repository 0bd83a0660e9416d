/** One connection to RabbitMQ. If it is lost, stay-connected.ts opens another one. */
import { type ConfirmChannel, connect } from "amqplib";
import { reasonOf } from "./output.ts";
import { declareTopology } from "./topology.ts";

/** An open connection. */
export type Link = {
  channel: ConfirmChannel;
  /** Rejected when the connection is lost, and never fulfilled. */
  lost: Promise<never>;
  /** Tells whether there is a memory or disk alarm, during which RabbitMQ is silent. */
  isBlocked: () => boolean;
  /** Closes the connection. All that is unfinished on it fails. */
  close: (reason: Error) => Promise<void>;
};

/** RabbitMQ has answered, and will not change its mind by itself. */
export class Refused extends Error {}

/** Connects, declares everything, calls `use`, and closes the connection. */
export async function withLink<T>(
  url: URL,
  name: string,
  use: (link: Link) => Promise<T>,
): Promise<T> {
  const connection = await connect(withHeartbeat(url), {
    clientProperties: { connection_name: name }, // For the management UI.
    noDelay: true, // Otherwise, TCP may hold back a small message for 40 ms.
    timeout: 5000, // For connecting, in milliseconds.
  }).catch(explainRefusal);
  let reject: (reason: Error) => void;
  const lost = new Promise<never>((_, rejectIt) => reject = rejectIt);
  connection.on("error", () => {}); // The "close" that follows has the same error.
  connection.on("close", (error) => reject(error ?? new Error("it was closed")));
  let isBlocked = false;
  connection.on("blocked", () => isBlocked = true);
  connection.on("unblocked", () => isBlocked = false);

  function close(reason: Error): Promise<void> {
    reject(reason);
    return connection.close().catch(() => {}); // It may be closed already.
  }

  async function openChannel(): Promise<ConfirmChannel> {
    const channel = await connection.createConfirmChannel();
    // A message is returned if its queue is missing. Its confirm comes at once, but a
    // connection that is closing ignores it. The next one declares the queue again.
    channel.on("return", () => close(new Error("a queue is missing")));
    await declareTopology(channel);
    return channel;
  }

  try {
    const channel = await Promise.race([openChannel(), lost]).catch(explainRefusal);
    const link = { channel, lost, close, isBlocked: () => isBlocked };
    return await Promise.race([use(link), lost]);
  } finally {
    // It is not awaited, because a silent broker does not answer.
    close(new Error("it was closed"));
  }
}

/** With heartbeats, a broker that has become silent is noticed within 30 seconds. */
function withHeartbeat(url: URL): string {
  const copy = new URL(url);
  if (!copy.searchParams.has("heartbeat")) copy.searchParams.set("heartbeat", "10");
  return copy.href;
}

/** Throws the error; if RabbitMQ refuses, one that says so and what to do. */
function explainRefusal(error: unknown): never {
  const refusal = /(ACCESS_REFUSED|NOT_ALLOWED|PRECONDITION_FAILED) - [^"]*/;
  const [words] = refusal.exec(reasonOf(error)) ?? [];
  if (!words) throw error;
  throw new Refused(`${words}. Check AMQP_URL, permissions, and the queue's settings`);
}
