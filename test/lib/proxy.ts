/** A proxy that changes what passes between a script and the broker. */
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { onTestFinished } from "vitest";
import { freePort } from "../../scripts/lib/rabbitmq-node.ts";

/**
 * Starts a proxy, which stops after the test.
 *
 * @param url the broker's address
 * @param change called with the bytes from either side; returns what to pass on
 * @returns the proxy's address
 */
export async function proxyTo(
  url: string,
  change: (bytes: Buffer, from: "client" | "broker") => Buffer,
): Promise<string> {
  const { hostname, port } = new URL(url);
  const server = createServer((client) => {
    const broker = connect(Number(port), hostname);
    client.on("data", (bytes) => broker.write(change(bytes, "client")));
    broker.on("data", (bytes) => client.write(change(bytes, "broker")));
    for (const [from, to] of [[client, broker], [broker, client]] as const) {
      from.on("error", () => {}).on("close", () => to.destroy());
    }
    onTestFinished(() => void client.destroy());
  });
  const ownPort = await freePort();
  await once(server.listen(ownPort, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return Object.assign(new URL(url), { host: `127.0.0.1:${ownPort}` }).href;
}
