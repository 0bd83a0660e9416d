/** For the whole run: makes sure of the runtimes, and starts the broker, which is gone after the last test. */
import type { TestProject } from "vitest/node";
import {
  type Broker,
  getBroker,
  leaveBroker,
} from "../../scripts/lib/broker-to-use.ts";
import { checkRuntimes } from "./runtimes.ts";

declare module "vitest" {
  interface ProvidedContext {
    broker: Omit<Broker, "node">;
  }
}

/** Called by vitest (see vitest.config.ts); returns what ends the broker. https://vitest.dev/config/globalsetup */
export default async function setup(
  project: TestProject,
): Promise<() => Promise<void>> {
  console.log(`Testing under ${checkRuntimes()}.`);
  const broker = await getBroker();
  const { node, ...addresses } = broker;
  if (!node) {
    console.log(
      `RabbitMQ is not installed here; testing with the broker at ${
        new URL(addresses.url).host
      }.`,
    );
    console.log(
      "Skipped, since that is not ours to stop or to set up: every test that needs a broker of its own.",
    );
  }
  project.provide("broker", addresses);
  return () => leaveBroker(broker);
}
