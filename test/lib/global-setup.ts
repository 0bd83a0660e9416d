/** Runs once: checks the runtimes, and starts the broker, which stops after the last test. */
import type { TestProject } from "vitest/node";
import {
  type Broker,
  getBroker,
  leaveBroker,
} from "../../scripts/lib/broker-to-use.ts";
import { checkRuntimes } from "./chosen-runtimes.ts";

declare module "vitest" {
  interface ProvidedContext {
    broker: Omit<Broker, "node">;
  }
}

/** Called by vitest (see vitest.config.ts). Returns a function that stops the broker. https://vitest.dev/config/globalsetup */
export default async function setup(
  project: TestProject,
): Promise<() => Promise<void>> {
  console.log(`Testing on ${checkRuntimes()}.`);
  const broker = await getBroker();
  const { node, ...addresses } = broker;
  if (!node) {
    const { where } = addresses;
    console.log(`RabbitMQ is not installed; testing with the broker at ${where}.`);
    console.log(
      "Skipping the tests that need a private broker, to stop it or to configure it.",
    );
  }
  project.provide("broker", addresses);
  return () => leaveBroker(broker);
}
