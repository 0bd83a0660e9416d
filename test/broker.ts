/** The broker for the whole run: started before the first test, gone after the last. */
import type { TestProject } from "vitest/node";
import { type Broker, getBroker } from "../scripts/broker-to-use.ts";

declare module "vitest" {
  interface ProvidedContext {
    broker: Omit<Broker, "node">;
  }
}

/** Called by vitest (see vitest.config.ts); returns what ends the broker. https://vitest.dev/config/globalsetup */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { node, ...addresses } = await getBroker();
  if (!node) {
    console.log(`RabbitMQ is not installed here; testing with the broker at ${new URL(addresses.url).host}.`);
  }
  project.provide("broker", addresses);
  return async () => await node?.stop();
}
