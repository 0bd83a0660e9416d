/** What the service and the gateway share: listening for HTTP. */
import { Buffer } from "node:buffer";
import type { IncomingMessage, Server } from "node:http";
import { end } from "./output.ts";

/**
 * Listens on this machine only, because it trusts everyone.
 *
 * @param port with 0, the system chooses a free one
 * @returns the port; if it cannot listen, a line says so, and the program ends
 */
export function listen(server: Server, port: number): Promise<number> {
  server.on("error", (error: NodeJS.ErrnoException) => {
    end(`Cannot listen on port ${port} (${error.code}): set PORT to another one`);
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  });
}

/** Reads the body of a request. @returns undefined if it is longer than the limit */
export async function readBody(
  request: IncomingMessage,
  limit: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    // Clients send everything before they read the answer, so it is read on, not kept.
    if (length <= limit) chunks.push(chunk);
  }
  return length > limit ? undefined : Buffer.concat(chunks);
}
