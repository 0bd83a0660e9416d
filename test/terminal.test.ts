/** What people do at a terminal: press Ctrl-C, pipe the output, type unusual words. */
import { expect } from "vitest";
import { Program, runtimes } from "../scripts/lib/program.ts";
import {
  messagesOn,
  onChannel,
  onEveryRuntime,
  QUORUM,
  untilTestEnds,
  WAITING_FOR_LOGS,
  WAITING_FOR_MESSAGES,
  waitingForLogsOf,
} from "./lib/lesson-test.ts";

onEveryRuntime("at the terminal", (test) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`${signal} during a task: exit code 0, and the task is requeued`, async ({ run, virtualHost }) => {
      const worker = run("02-work-queues/worker.ts");
      await worker.prints(WAITING_FOR_MESSAGES);
      await run("02-work-queues/new-task.ts", "long....................").exits(0);
      await worker.prints("[x] Received 'long....................'");
      const asked = performance.now();
      worker.signal(signal);
      await worker.exits(0);
      expect(performance.now() - asked).toBeLessThan(2000);
      expect(worker.stderr).toEqual([]);
      expect(await messagesOn(virtualHost, "task_queue")).toBe(1);
    });
  }

  test("Ctrl-C ends a client that is waiting for its reply", async ({ run }) => {
    const server = run("06-rpc/server.ts");
    await server.prints("[x] Awaiting RPC requests");
    await server.stop();
    const client = run("06-rpc/client.ts", "--timeout", "60");
    await client.prints("[x] Requesting fib(30)");
    expect(await client.stop()).toBe(130);
    expect(client.stderr).toEqual([]);
  });

  test("`| head -1` ends a consumer without an error", async ({ pipe, run }) => {
    const piped = pipe("head -1", "03-pubsub/receive-logs.ts");
    await piped.prints(WAITING_FOR_LOGS);
    await run("03-pubsub/emit-log.ts", "nobody reads this").exits(0);
    await piped.exits(0);
    expect(piped.stderr).toEqual([]);
  });

  test("SIGTERM ends a client that is waiting for its reply with 143", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    const client = run("06-rpc/client.ts", "--timeout", "60");
    await client.prints("[x] Requesting fib(30)");
    client.signal("SIGTERM");
    await client.exits(143);
    expect(client.stderr).toEqual([]);
  });

  test("output that cannot be written is a failure", async ({ runtime, virtualHost }) => {
    const script = [...runtimes[runtime].command, "01-hello/send.ts"];
    const command = ["bash", "-c", '"$@" > /dev/full', "bash", ...script];
    const send = untilTestEnds(
      new Program(command, { env: { AMQP_URL: virtualHost } }),
    );
    await send.exits(1);
    expect(send.stderr).toEqual([
      expect.stringMatching(/^\[!\] .*(ENOSPC|[Nn]o space)/),
    ]);
  });

  test("a routing key or binding key over 255 bytes is rejected", async ({ run }) => {
    const long = "é".repeat(128);
    for (
      const script of [
        "04-routing/emit-log.ts",
        "04-routing/receive-logs.ts",
        "05-topics/emit-log.ts",
        "05-topics/receive-logs.ts",
      ]
    ) {
      const program = run(script, long);
      await program.exits(1);
      expect(program.stderr).toEqual([
        "[!] The routing key is longer than the 255 bytes that AMQP allows.",
      ]);
      expect(program.stdout.filter((line) => line.includes("é"))).toEqual([]);
    }
  });

  test("words with quotes, dashes and spaces arrive in the key and the message as typed", async ({ run }) => {
    const logs = run("04-routing/receive-logs.ts", "--", "-007");
    await logs.prints(waitingForLogsOf("-007"));
    await run("04-routing/emit-log.ts", "--", "-007", "--two  spaces", '"quoted"')
      .exits(0);
    await logs.prints(`[x] -007: '--two  spaces "quoted"'`);
  });
});
