/** What people do at a terminal, and what reaches it: Ctrl-C, pipes, hostile text. */
import { Buffer } from "node:buffer";
import { expect } from "vitest";
import { Program, type Runtime, runtimes } from "../scripts/lib/program.ts";
import { messagesIn, onChannel, QUORUM } from "./lib/broker.ts";
import { consumers, READY } from "./lib/consumers.ts";
import { onEveryRuntime, test, untilTestEnds } from "./lib/lesson-test.ts";

const newTask = "02-work-queues/new-task.ts";
const worker = "02-work-queues/worker.ts";
const client = "06-rpc/client.ts";

onEveryRuntime("at the terminal", (test) => {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    test(`${signal} ends a busy worker with 0, and its task is back in the queue`, async ({ run, consume, virtualHost }) => {
      const busy = await consume(worker);
      await run(newTask, "long....................").exits(0);
      await busy.prints("[x] Received 'long....................'");
      busy.signal(signal);
      await busy.exits(0, 1.5);
      expect(busy.stderr).toEqual([]);
      expect(await messagesIn(virtualHost, "task_queue")).toBe(1);
    });

    test(`${signal} ends a waiting client with ${code}`, async ({ run, virtualHost }) => {
      await onChannel(
        virtualHost,
        (channel) => channel.assertQueue("rpc_queue", QUORUM),
      );
      const waiting = run(client, "--timeout", "60");
      await waiting.prints("[x] Requesting fib(30)");
      waiting.signal(signal);
      await waiting.exits(code, 1.5);
      expect(waiting.stderr).toEqual([]);
    });
  }

  test("`| head -1` ends it without a word", async ({ run, runtime, virtualHost }) => {
    const logs = runInBash(
      runtime,
      "03-pubsub/receive-logs.ts",
      "| head -1",
      virtualHost,
    );
    await logs.prints(READY);
    await run("03-pubsub/emit-log.ts", "nobody reads this").exits(0);
    if (runtime === "deno" || runtime === "bun") return; // They do not tell a script.
    await logs.exits(0);
    expect(logs.stderr).toEqual([]);
  });

  test("a full disk is reported in one line", async ({ runtime, virtualHost }) => {
    if (runtime === "deno" || runtime === "bun") return; // They do not tell a script.
    const send = runInBash(runtime, "01-hello/send.ts", "> /dev/full", virtualHost);
    await send.exits(1);
    expect(send.stderr).toEqual([expect.stringMatching(/^\[!\] ENOSPC/)]);
  });
});

/** Runs a script with its output in a pipe or a file. */
function runInBash(runtime: Runtime, script: string, output: string, AMQP_URL: string) {
  const bash = ["bash", "-c", `"$@" ${output}`, "bash"];
  const command = [...bash, ...runtimes[runtime].command, script];
  return untilTestEnds(new Program(command, { env: { AMQP_URL } }));
}

const ESCAPES = "\x1b]0;owned\x07\x1b[2J\u009b31m";
const bodies: [body: string | Uint8Array, shown: RegExp][] = [
  [ESCAPES, /'\\x1b\]0;owned\\x07\\x1b\[2J\\x9b31m'$/i],
  ["one\r\n[x] Sent 'two'\n", /"one\\r\\n\[x\] Sent 'two'\\n"$/],
  [new Uint8Array([0xff, 0xfe, 0x41, 0xc3]), /'\ufffd\ufffdA\ufffd'$/],
  ["", / ''$/],
  ["x".repeat(8_000_000), /'x{10000}'\.\.\. 7990000 more characters$/],
];

test("hostile messages, keys, headers and requests are printed quoted and escaped", async ({ consume, virtualHost }) => {
  const key = "\x1b[31m.red\n";
  const headers = { "x-acquired-count": key, "x-delivery-count": key };
  const all = await Promise.all(
    consumers.map(({ command: [script, ...keys] }) =>
      consume(script, ...keys.map(() => key))
    ),
  );
  const [, , , , topics, server] = all;
  await onChannel(virtualHost, async (channel) => {
    for (const { exchange, routingKey } of consumers.slice(0, 5)) {
      for (const [body] of bodies) {
        const to = exchange ? key : routingKey;
        channel.publish(exchange, to, Buffer.from(body), { headers });
      }
    }
    channel.sendToQueue("rpc_queue", Buffer.from(key));
    await channel.waitForConfirms();
  });
  for (const program of all.slice(0, 5)) {
    await program.prints(/^\[x\] (?!Done)/, bodies.length);
    const shown = program.stdout.filter((line) => /^\[x\] (?!Done)/.test(line));
    expect(shown).toEqual(bodies.map(([, line]) => expect.stringMatching(line)));
    expect(program.stderr).toEqual([]);
  }
  await topics?.prints(/^\[x\] \\x1b\[31m\.red\\n: ''$/i);
  await server?.prints(/^\[\.\] fib\(\\x1b\[31m\.red\\n\)$/i);
});
