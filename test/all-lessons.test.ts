import { expect, inject } from "vitest";
import { callManagement } from "../scripts/lib/broker-to-use.ts";
import {
  AWAITING_REQUESTS,
  onEveryRuntime,
  WAITING_FOR_LOGS,
  WAITING_FOR_MESSAGES,
  waitingForLogsOf,
} from "./lib/lesson-test.ts";

onEveryRuntime("all lessons", (test) => {
  test("every queue is either durable or exclusive", async ({ run, virtualHost }) => {
    const consumers = [
      run("01-hello/receive.ts").prints(WAITING_FOR_MESSAGES),
      run("02-work-queues/worker.ts").prints(WAITING_FOR_MESSAGES),
      run("03-pubsub/receive-logs.ts").prints(WAITING_FOR_LOGS),
      run("04-routing/receive-logs.ts", "info").prints(waitingForLogsOf("info")),
      run("05-topics/receive-logs.ts", "#").prints(waitingForLogsOf("#")),
      run("06-rpc/server.ts").prints(AWAITING_REQUESTS),
    ];
    await Promise.all(consumers);
    const producers = [
      "01-hello/send.ts",
      "02-work-queues/new-task.ts",
      "03-pubsub/emit-log.ts",
      "04-routing/emit-log.ts",
      "05-topics/emit-log.ts",
      "06-rpc/client.ts",
    ].map((script) => run(script));
    for (const program of producers) await program.exits(0);

    const queues = await callManagement(
      inject("broker"),
      "GET",
      `queues${new URL(virtualHost).pathname}`,
    );
    for (const name of ["hello", "task_queue", "rpc_queue"]) {
      expect(queues).toContainEqual(
        expect.objectContaining({ name, durable: true, type: "quorum" }),
      );
    }
    expect(queues).toContainEqual(
      expect.objectContaining({
        name: expect.stringMatching(/^amq\.gen/),
        exclusive: true,
      }),
    );
    expect(queues).not.toContainEqual(
      expect.objectContaining({ durable: false, exclusive: false }),
    );
  });
});
