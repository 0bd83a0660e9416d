/** What the service and the gateway share: they listen on this machine only. */
import type { Server } from "node:http";
import { end } from "./output.ts";

/** Listens. @returns the port; if it is in use, a line says so, and the program ends */
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
