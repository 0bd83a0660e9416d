/** The lessons declare what the official tutorials declare, so that their programs can talk. */
import { expect, inject } from "vitest";
import { callManagement } from "../scripts/lib/management.ts";
import { consumers, READY, works } from "./lib/consumers.ts";
import { test } from "./lib/lesson-test.ts";

test("the names and arguments of queues and exchanges; a connection has its script's name", async ({ run, virtualHost }) => {
  for (const consumer of consumers) {
    const program = run(...consumer.command);
    await program.prints(READY);
    await works(consumer, program, virtualHost);
  }
  await run("06-rpc/client.ts").exits(0);
  const vhost = new URL(virtualHost).pathname;
  const list = async (path: string) => {
    const all = await callManagement(inject("broker"), "GET", path);
    return Array.isArray(all) ? all : [];
  };
  const quorum = { durable: true, exclusive: false, type: "quorum" };
  const queues = await list(`queues${vhost}`);
  for (const name of ["hello", "task_queue", "rpc_queue"]) {
    expect(queues).toContainEqual(expect.objectContaining({ ...quorum, name }));
  }
  const others = queues.filter(({ type }) => type !== "quorum");
  expect(others.map(({ exclusive }) => exclusive)).toEqual([true, true, true]);
  expect(await list(`exchanges${vhost}`)).toEqual(expect.arrayContaining(
    [["logs", "fanout"], ["direct_logs", "direct"], ["topic_logs", "topic"]].map((
      [name, type],
    ) => expect.objectContaining({ name, type, durable: false })),
  ));
  await expect.poll(async () => {
    const ours = (await list("connections")).filter((one) => `/${one.vhost}` === vhost);
    return ours.map((one) => one.client_properties?.connection_name).sort();
  }, { timeout: 30_000 }).toEqual(consumers.map(({ command: [script] }) => script));
});
