/** What people do at a terminal, and what reaches it: options, Ctrl-C, pipes, hostile text. */
import { Buffer } from "node:buffer";
import { expect } from "vitest";
import { Program, runtimes } from "../scripts/lib/program.ts";
import {
  messagesIn,
  onChannel,
  onEveryRuntime,
  QUORUM,
  test,
  untilTestEnds,
  WAITING_FOR_LOGS,
  WAITING_FOR_MESSAGES,
} from "./lib/lesson-test.ts";

const COUNT = "--count must be 1, 2, …";
const PREFETCH = "--prefetch must be 1-65535";
const TIMEOUT = "--timeout must be 1-86400";
const N = "n must be 0, 1, 2, …";
const [newTask, worker] = ["02-work-queues/new-task.ts", "02-work-queues/worker.ts"];
const [server, client] = ["06-rpc/server.ts", "06-rpc/client.ts"];

/** Invalid command lines, each with the last line that the script prints. */
const mistakes: [line: string, script: string, args: string][] = [
  [COUNT, newTask, "--count 0"],
  [COUNT, newTask, "--count many"],
  [COUNT, newTask, "--count 1 --count 2"],
  [PREFETCH, worker, "--prefetch 1.5"],
  [PREFETCH, server, "--prefetch 65536"],
  [TIMEOUT, client, "--timeout 0"],
  [TIMEOUT, client, "--timeout soon"],
  [N, client, "-1"],
  [N, client, "1 1e3"],
  [N, client, ""],
  ["Unknown argument: x", newTask, "--x"],
  ["Unknown argument: x", worker, "x"],
];

test("an invalid option or n: the usage and one line, exit code 1", async ({ run }) => {
  for (const [line, script, args] of mistakes) {
    const program = run(script, ...args.split(" "));
    await program.exits(1);
    expect(program.stdout.join("")).toBe(""); // On Bun, yargs prints an empty line.
    expect(program.stderr[0]).toMatch(`Usage: npx tsx ${script}`);
    expect(program.stderr.at(-1), `${script} ${args}`).toBe(line);
  }
});

test("--help is in English, fits 80 columns and says the default; 'help' is a word", async ({ run, runWith }) => {
  for (const script of [newTask, worker, server, client]) {
    const help = runWith({ env: { LC_ALL: "de_DE.UTF-8" } }, script, "--help");
    await help.exits(0);
    expect(help.stdout[0]).toMatch(`Usage: npx tsx ${script} [`);
    expect(help.stdout.join("\n")).toMatch(/--[cpt]\w+ .*\[default: \d+\]/);
    expect(help.stdout.filter((line) => line.length > 80)).toEqual([]);
    expect(help.stdout.join()).not.toContain("Optionen");
  }
  const sent = run(newTask, "007", "-5", "please", "help");
  await sent.exits(0);
  expect(sent.stdout).toEqual(["[x] Sent '007 -5 please help'"]);
});

onEveryRuntime("at the terminal", (test) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`${signal} during a task: exit code 0, and the task is back in the queue`, async ({ run, virtualHost }) => {
      const program = run(worker);
      await program.prints(WAITING_FOR_MESSAGES);
      await run(newTask, "long....................").exits(0);
      await program.prints("[x] Received 'long....................'");
      const asked = performance.now();
      program.signal(signal);
      await program.exits(0);
      expect(performance.now() - asked).toBeLessThan(1500);
      expect(program.stderr).toEqual([]);
      expect(await messagesIn(virtualHost, "task_queue")).toBe(1);
    });
  }

  test("SIGINT ends a waiting client with 130, SIGTERM with 143", async ({ run, virtualHost }) => {
    await onChannel(virtualHost, (channel) => channel.assertQueue("rpc_queue", QUORUM));
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      const program = run(client, "--timeout", "60");
      await program.prints("[x] Requesting fib(30)");
      program.signal(signal);
      await program.exits(code);
      expect(program.stderr).toEqual([]);
    }
  });

  test("`| head -1` does not end in a stack trace; a full disk is reported", async ({ run, runtime, virtualHost }) => {
    const start = (script: string, output: string) => {
      const words = [
        "bash",
        "-c",
        `"$@" ${output}`,
        "bash",
        ...runtimes[runtime].command,
      ];
      const env = { AMQP_URL: virtualHost };
      return untilTestEnds(new Program([...words, script], { env }));
    };
    const logs = start("03-pubsub/receive-logs.ts", "| head -1");
    await logs.prints(WAITING_FOR_LOGS);
    await run("03-pubsub/emit-log.ts", "nobody reads this").exits(0);
    if (runtime === "deno" || runtime === "bun") return; // They do not tell a script.
    await logs.exits(0);
    expect(logs.stderr).toEqual(["[!] write EPIPE"]);
    const send = start("01-hello/send.ts", "> /dev/full");
    await send.exits(1);
    expect(send.stderr).toEqual([expect.stringMatching(/^\[!\] ENOSPC/)]);
  });
});

const bodies: [body: Buffer, shown: RegExp][] = [
  [
    Buffer.from("\x1b]0;owned\x07\x1b[2J\u009b31m"),
    /'\\x1b\]0;owned\\x07\\x1b\[2J\\x9b31m'$/i,
  ],
  [Buffer.from("one\r\n[x] Sent 'two'\n"), /"one\\r\\n\[x\] Sent 'two'\\n"$/],
  [Buffer.from([0xff, 0xfe, 0x41, 0xc3]), /'\ufffd\ufffdA\ufffd'$/],
  [Buffer.alloc(0), / ''$/],
  [Buffer.alloc(8_000_000, "x"), /'x{10000}'\.\.\. 7990000 more characters$/],
];

test("hostile messages, keys, headers and requests are printed quoted and escaped", async ({ run, virtualHost }) => {
  const key = "\x1b[31m.red\n";
  const headers = { "x-acquired-count": key, "x-delivery-count": key };
  const all = [
    ["01-hello/receive.ts"],
    ["02-work-queues/worker.ts"],
    ["03-pubsub/receive-logs.ts"],
    ["04-routing/receive-logs.ts", key],
    ["05-topics/receive-logs.ts", "#"],
    ["06-rpc/server.ts"],
  ].map(([script = "", ...args]) => run(script, ...args));
  for (const program of all) await program.prints(/aiting/);
  await onChannel(virtualHost, async (channel) => {
    for (const [body] of bodies) {
      for (const queue of ["hello", "task_queue"]) {
        channel.sendToQueue(queue, body, { headers });
      }
      for (const exchange of ["logs", "direct_logs", "topic_logs"]) {
        channel.publish(exchange, key, body, { headers });
      }
    }
    channel.sendToQueue("rpc_queue", Buffer.from(key));
    await channel.waitForConfirms();
  });
  for (const program of all.slice(0, 5)) {
    await program.prints(/^\[x\] (?!Done)/, bodies.length);
    const shown = program.stdout.filter((line) => /^\[x\] (?!Done)/.test(line));
    for (const [i, [, expected]] of bodies.entries()) {
      expect(shown[i]).toMatch(expected);
    }
    expect(program.stderr).toEqual([]);
  }
  await all[4]?.prints(/^\[x\] \\x1b\[31m\.red\\n: ''$/i);
  await all[5]?.prints(/^\[\.\] fib\(\\x1b\[31m\.red\\n\)$/i);
});
