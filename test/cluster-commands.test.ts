/** `npm run broker -- --nodes 3`, and `npm run ctl` on its cluster. */
import process from "node:process";
import { expect, test } from "vitest";
import { runScript } from "../scripts/lib/program.ts";
import { freePort } from "../scripts/lib/rabbitmq-node.ts";
import {
  messagesIn,
  noProcessOf,
  onChannel,
  processesOf,
  QUORUM,
  runBroker,
  untilTestEnds,
  whereInstalled,
} from "./lib/lesson-test.ts";

whereInstalled("a cluster", () => {
  test("loses a node, then its majority, and has its messages when it starts again", {
    timeout: 300_000,
  }, async () => {
    const port = await freePort(3);
    const urls = [0, 1, 2].map((i) => `amqp://localhost:${port + i}`);
    const AMQP_URL = urls.join();
    const start = async () => {
      const broker = untilTestEnds(runBroker(port, "--nodes", "3"));
      await broker.prints("To stop it, press CTRL+C", 1, 120);
      return broker;
    };
    const control = (env: Record<string, string>, ...words: string[]) =>
      untilTestEnds(runScript("tsx", "scripts/ctl.ts", words, { env }));

    const broker = await start();
    expect(broker.stdout).toContain(`export AMQP_URL=${AMQP_URL}`);
    const kill = (n: number) => {
      const line = RegExp(`^Node ${n}: amqp://localhost:\\d+, process (\\d+)$`);
      const pid = broker.stdout.map((text) => line.exec(text)?.[1]).find(Boolean);
      process.kill(Number(pid), "SIGKILL");
    };
    await onChannel(urls[1] ?? "", async (channel) => {
      await channel.assertQueue("hello", QUORUM);
      channel.sendToQueue("hello", Buffer.from("kept"));
      await channel.waitForConfirms();
    });

    kill(1);
    await broker.warns(
      /^\[!\] Node 1 has stopped\. 2 of 3 are left, which is a majority/,
    );
    await broker.prints(/^To start it again, /);
    expect(await messagesIn(urls[2] ?? "", "hello")).toBe(1);
    for (const env of [{ AMQP_URL }, { AMQP_URL: urls[0] ?? "" }]) {
      // Node 1 is down, so rabbitmqctl uses the next node.
      const status = control(env, "--quiet", "cluster_status");
      await status.exits(0);
      expect(status.stdout.join("\n")).toContain(`${port + 1}@localhost: RabbitMQ`);
    }
    await control({ AMQP_URL }, "no_such_command").exits(64);
    kill(2);
    await broker.warns(
      /^\[!\] Node 2 has stopped\. 1 of 3 is left, which is not a maj/,
    );
    expect(await broker.stop()).toBe(0);
    for (const i of [0, 1, 2]) expect(processesOf(`-${port + i}@`)).toEqual([]);
    await control({ AMQP_URL }, "list_queues").exits(1);

    const again = await start();
    await onChannel(urls[0] ?? "", async (channel) => {
      const message = await channel.get("hello", { noAck: true });
      expect(message && message.content.toString()).toBe("kept");
    });
    again.signal("SIGKILL");
    for (const i of [0, 1, 2]) await noProcessOf(`-${port + i}@`);
  });
});
