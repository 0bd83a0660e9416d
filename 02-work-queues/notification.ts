/** The message, its queues and the connection that both programs of the page share. */
import process from "node:process";
import { parseArgs } from "node:util";
import { type ChannelModel, type ConfirmChannel, connect } from "amqplib";

/** What a customer is told about an order. As JSON, it is the body of a message. */
export type Notification = { orderId: string; phone: string; text: string };

/** Reads the body of a message. @throws SyntaxError that says what is wrong in it */
export function parseNotification(body: string): Notification {
  // JSON may also be null or a number. Spread into an object, these have no fields.
  const fields: Record<string, unknown> = { ...JSON.parse(body) };
  const [orderId, phone] = [textField(fields, "orderId"), textField(fields, "phone")];
  return { orderId, phone, text: textField(fields, "text") };
}

/** Returns a field that must be a text. @throws SyntaxError that names the field */
export function textField(fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  if (typeof value === "string" && value !== "") return value;
  throw new SyntaxError(`${name} must be a string, and not empty`);
}

type Use = (channel: ConfirmChannel, connection: ChannelModel) => unknown;

/** Connects to AMQP_URL, now or later, and again after every loss; then calls `use`. */
export async function stayConnected(name: string, use: Use) {
  async function setup(connection: ChannelModel): Promise<void> {
    let isOpen = true;
    connection.on("close", () => isOpen = false);
    // Without a listener, an error during the set-up would end the process.
    connection.on("error", () => {});
    const channel = await connection.createConfirmChannel();
    const quorum = { durable: true, arguments: { "x-queue-type": "quorum" } };
    await channel.assertQueue("notifications.dead", quorum);
    // A message that is rejected, or requeued more than 20 times, goes to that queue.
    await channel.assertQueue("notifications", {
      ...quorum,
      deadLetterExchange: "",
      deadLetterRoutingKey: "notifications.dead",
      arguments: { ...quorum.arguments, "x-delivery-limit": 20 },
    });
    // Either event means that the queue is gone. Connecting again declares it again.
    for (const it of ["return", "cancel"]) channel.on(it, () => connection.close());
    await use(channel, connection);
    // amqplib does not notice a connection that is lost at the end of the set-up.
    if (!isOpen) throw new Error("The connection was lost during the set-up");
  }
  const model = await connect(process.env.AMQP_URL ?? "amqp://localhost", {
    clientProperties: { connection_name: name }, // For the management UI.
    noDelay: true, // Otherwise TCP may hold back a small message for 40 ms.
    timeout: 5000, // For connecting, in milliseconds.
    recovery: { waitForConnect: false, maxDelay: 1000, setup },
  });
  let latest = "";
  model.on("connect", () => latest && console.error("[!] Connected"));
  model.on("connect", () => latest = "");
  model.on("error", () => {}); // The next event has the same error.
  model.on("reconnect-scheduled", ({ error }) => {
    // If a host has several addresses, and none of them accepts, there is no message.
    const reason = error.message || "nothing is listening";
    // There is an attempt every second, so only a new reason is printed.
    if (reason !== latest) console.error(`[!] Not connected: ${reason}`);
    latest = reason;
  });
  // Waits for the first attempt, so that the first order does not come too early.
  await new Promise((done) => model.once("connect", done).once("connect-failed", done));
  return model;
}

/** Returns an option, a number from `min` to 65535. If it is none, the program ends. */
export function numberOption(name: string, initial: string, min: number): number {
  try {
    const { values } = parseArgs({ options: { [name]: { type: "string" } } });
    const text = String(values[name] ?? initial);
    if (/^\d+$/.test(text) && +text >= min && +text <= 65_535) return Number(text);
  } catch {
    // An unknown option, or one without a value: the next line says what there is.
  }
  console.error(`[!] The only option is --${name}, a number from ${min} to 65535`);
  process.exit(1);
}
