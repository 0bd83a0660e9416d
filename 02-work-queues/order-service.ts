/** Takes orders over HTTP. The SMS to the customer can wait: it goes into a queue. */
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import process from "node:process";
import type { ConfirmChannel } from "amqplib";
import type { Notification } from "./notification.ts";
import { numberOption, stayConnected, textField } from "./notification.ts";

const port = numberOption("port", "8080", 0);
/** How many of each item are sold. It stands for the database of a real service. */
const sold = new Map<string, number>();
/** The channel while RabbitMQ accepts messages, and how many it has not confirmed. */
let open: ConfirmChannel | undefined;
let unconfirmed = 0;

const connection = await stayConnected("order-service", (channel, connection) => {
  open = channel;
  channel.on("close", () => open = undefined);
  // In a memory or disk alarm, RabbitMQ stops reading messages.
  connection.on("blocked", () => open = undefined);
  connection.on("unblocked", () => open = channel);
});

/** Publishes a notification. @returns why it may be lost; "" if RabbitMQ has it */
function publish(notification: Notification): Promise<string> {
  const content = Buffer.from(JSON.stringify(notification));
  // The id tells a message that comes twice. Mandatory: returned if there is no queue.
  const message = { messageId: notification.orderId, contentType: "application/json" };
  const options = { ...message, persistent: true, mandatory: true };
  return new Promise((resolve) => {
    // Each message that waits for its confirm takes memory, so their number is limited.
    if (!open || unconfirmed === 1000) return resolve("RabbitMQ is away, or too slow");
    open.sendToQueue("notifications", content, options, (error) => {
      unconfirmed--;
      clearTimeout(timer);
      resolve(error ? error.message : "");
    });
    unconfirmed++;
    const timer = setTimeout(() => resolve("Not confirmed in 5 s"), 5000);
  });
}

/** Answers a request. @returns the status, and the order's id or what is wrong */
async function answer(request: IncomingMessage): Promise<[number, string]> {
  let body = Buffer.alloc(0);
  for await (const chunk of request) {
    // A client first sends everything, so a long body is read on, but not kept.
    if (body.length <= 65_536) body = Buffer.concat([body, chunk]);
  }
  if (request.url !== "/orders") return [404, "There is only /orders"];
  if (request.method !== "POST") return [405, "There is only POST"];
  if (body.length > 65_536) return [413, "The limit is 64 KiB"];

  const fields: Record<string, unknown> = { ...JSON.parse(body.toString()) };
  const [item, phone] = [textField(fields, "item"), textField(fields, "phone")];
  const quantity = Number.isSafeInteger(fields.quantity) ? Number(fields.quantity) : 0;
  if (quantity < 1) throw new SyntaxError("quantity must be a positive integer");
  const orderId = randomUUID();
  const text = `Thank you for ordering ${quantity} x ${item}`;
  const problem = await publish({ orderId, phone, text });
  if (problem) return [503, problem];
  // The critical path comes after the confirm: with a 503, nothing is sold.
  sold.set(item, (sold.get(item) ?? 0) + quantity);
  return [201, orderId];
}

const server = createServer(async (request, response) => {
  const [status, text] = await answer(request).catch((error): [number, string] => {
    if (error instanceof SyntaxError) return [400, error.message];
    if (request.complete) console.error(error); // A bug, and not a client that left.
    return [500, "Internal error"];
  });
  if (status === 405) response.setHeader("allow", "POST");
  if (status === 503) response.setHeader("retry-after", 1); // In seconds.
  if (!server.listening) response.setHeader("connection", "close");
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ [status === 201 ? "id" : "error"]: text }) + "\n");
});
server.on("error", (error) => {
  console.error(`[!] ${error.message}`); // The port is in use, for example.
  process.exit(1);
});
server.listen(port, "127.0.0.1", () => {
  process.on("SIGINT", leave).on("SIGTERM", leave);
  const address = server.address();
  if (typeof address === "string") return;
  console.log(`[*] Listening on http://localhost:${address?.port}`);
});

/** Answers what was accepted, and ends, whatever RabbitMQ and the clients do. */
function leave(): void {
  if (!server.listening) return; // Ctrl-C again.
  setTimeout(() => process.exit(0), 5300);
  server.close(() => connection.close().then(() => process.exit(0)));
}
