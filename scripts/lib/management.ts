/** RabbitMQ's management API. https://www.rabbitmq.com/docs/http-api-reference */
import { Buffer } from "node:buffer";

/**
 * Calls the API with a path after /api/ and, if need be, a body, which is sent as
 * JSON. Returns the parsed response body, or undefined if it is empty. Throws an error if
 * the API does not respond, or with an error.
 */
export async function callManagement(
  { managementUrl, login = "guest:guest" }: { managementUrl: string; login?: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${managementUrl}/api/${path}`, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: {
      // RabbitMQ 4.3 closes an idle connection after 5 s, perhaps just before its reuse.
      connection: "close",
      "content-type": "application/json",
      authorization: `Basic ${Buffer.from(login).toString("base64")}`,
    },
  }).catch(() => {
    throw new Error(`No management API at ${managementUrl}. MANAGEMENT_URL sets it.`);
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}
