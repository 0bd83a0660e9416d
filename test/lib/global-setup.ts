/** Runs once: starts the broker of the tests, which stops after the last one. */
import type { TestProject } from "vitest/node";
import * as brokers from "../../scripts/lib/broker-to-use.ts";
import { checkRuntimes } from "./runtimes.ts";

declare module "vitest" {
  interface ProvidedContext {
    broker: Omit<brokers.Broker, "stop">;
  }
}

/** Called by vitest (see vitest.config.ts). https://vitest.dev/config/globalsetup */
export default async function startBroker(project: TestProject) {
  checkRuntimes();
  const broker = await brokers.getBroker();
  const { stop, ...addresses } = broker;
  if (!stop) {
    console.log("RabbitMQ is not installed: testing with the broker at AMQP_URL.");
    console.log("Tests that stop or configure a broker are skipped.");
  }
  project.provide("broker", addresses);
  return () => brokers.leaveBroker(broker);
}
