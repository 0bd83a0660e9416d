/** The answers to HTTP requests. */
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isDatabaseError } from "./database.ts";
import { InvalidOrder, parseOrder } from "./order.ts";
import { KeyReused, SoldOut, type Store } from "./store.ts";

export type Answer = { status: number; body: string; headers?: Record<string, string> };

/** The longest body, in bytes. */
const LIMIT = 65_536;

/** Answers a request. */
export async function answer(request: IncomingMessage, store: Store): Promise<Answer> {
  try {
    const body = await readBody(request);
    const [path = ""] = (request.url ?? "").split("?");
    const [, id] = /^\/orders\/([^/]+)$/.exec(path) ?? [];
    if (id === undefined && path !== "/orders") {
      return problem(404, "There is only /orders");
    }
    const allow = id === undefined ? "POST" : "GET";
    if (request.method !== allow) {
      return problem(405, `There is only ${allow}`, { allow });
    }
    if (id !== undefined) return getOrder(id, store);
    if (body.length > LIMIT) return problem(413, "The limit is 64 KiB");
    // A client that got no answer sends the same order again. By its key, it is known.
    const key = request.headers["idempotency-key"]?.toString() || null;
    const order = parseOrder(body, randomUUID());
    return { status: 201, body: await store.placeOrder(order, key) };
  } catch (error) {
    return answerTo(error, request);
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  let body = Buffer.alloc(0);
  for await (const chunk of request) {
    // Clients send everything before they read an answer: it is read on, but not kept.
    if (body.length <= LIMIT) body = Buffer.concat([body, chunk]);
  }
  return body;
}

function getOrder(id: string, store: Store): Answer {
  const document = store.findOrder(id);
  if (document === undefined) return problem(404, "There is no such order");
  return { status: 200, body: document };
}

function answerTo(error: unknown, request: IncomingMessage): Answer {
  if (error instanceof InvalidOrder) return problem(400, error.message);
  if (error instanceof SoldOut) return problem(409, error.message);
  if (error instanceof KeyReused) return problem(422, error.message);
  // Nothing was sold. The client may try again, after a second.
  if (isDatabaseError(error)) {
    return problem(503, "The database is not available", { "retry-after": "1" });
  }
  // A client that has left needs no answer. Anything else is a bug.
  if (request.complete) console.error(error);
  return problem(500, "Internal error");
}

function problem(status: number, error: string, headers = {}): Answer {
  return { status, body: JSON.stringify({ error }), headers };
}
