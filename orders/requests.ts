/** The answers to HTTP requests. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isDatabaseError } from "./database.ts";
import { readBody } from "./listen.ts";
import { InvalidOrder, parseOrder } from "./order.ts";
import { KeyReused, SoldOut, type Store } from "./store.ts";

/** The longest request, in bytes. */
const LIMIT = 65_536;

export type Answer = { status: number; body: string; headers?: Record<string, string> };

/** Answers a request. @param onEvent is called when an order was placed */
export async function answer(
  request: IncomingMessage,
  store: Store,
  onEvent: () => void,
): Promise<Answer> {
  try {
    const body = await readBody(request, LIMIT);
    const [path = ""] = (request.url ?? "").split("?");
    if (path === "/orders") return await postOrder(request, body, store, onEvent);
    const [, id] = /^\/orders\/([^/]+)$/.exec(path) ?? [];
    return id ? getOrder(request, id, store) : problem(404, "There is only /orders");
  } catch (error) {
    return answerToError(error, request);
  }
}

async function postOrder(
  request: IncomingMessage,
  body: Uint8Array | undefined,
  store: Store,
  onEvent: () => void,
): Promise<Answer> {
  if (request.method !== "POST") {
    return problem(405, "There is only POST", { allow: "POST" });
  }
  if (!body) return problem(413, "The limit is 64 KiB");
  const order = parseOrder(body, randomUUID());
  // A client that got no answer sends the same order again. By the key, it is known.
  const key = request.headers["idempotency-key"]?.toString() || null;
  const document = await store.placeOrder(order, key);
  // It is not awaited: the customer does not wait for RabbitMQ.
  onEvent();
  return { status: 201, body: document };
}

function getOrder(request: IncomingMessage, id: string, store: Store): Answer {
  if (request.method !== "GET") {
    return problem(405, "There is only GET", { allow: "GET" });
  }
  const document = store.findOrder(id);
  if (document === undefined) return problem(404, "There is no such order");
  return { status: 200, body: document };
}

function answerToError(error: unknown, request: IncomingMessage): Answer {
  if (error instanceof InvalidOrder) return problem(400, error.message);
  if (error instanceof SoldOut) return problem(409, error.message);
  if (error instanceof KeyReused) return problem(422, error.message);
  // Nothing was sold. With its key, the client may try again after a second.
  if (isDatabaseError(error)) {
    return problem(503, "The database is not available", { "retry-after": "1" });
  }
  // A client that has left needs no answer. Anything else is a bug.
  if (request.complete) console.error(error);
  return problem(500, "Internal error");
}

function problem(
  status: number,
  error: string,
  headers: Record<string, string> = {},
): Answer {
  return { status, body: JSON.stringify({ error }), headers };
}
