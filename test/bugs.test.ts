/** Bugs in a script end it and are reported; the script does not try again. */
import { expect } from "vitest";
import { messagesOn, onEveryRuntime, WAITING_FOR_MESSAGES } from "./lib/lesson-test.ts";

onEveryRuntime("bugs", (test) => {
  const whenMessageComes = (what: string, script: string, lines: RegExp[]) =>
    test(what, async ({ run }) => {
      const program = run(script);
      await program.prints(WAITING_FOR_MESSAGES);
      await run("01-hello/send.ts").exits(0);
      await program.exits(1);
      expect(program.stdout).toEqual([WAITING_FOR_MESSAGES]);
      expect(program.stderr).toEqual(lines.map((line) => expect.stringMatching(line)));
    });

  whenMessageComes(
    "a message acknowledged twice",
    "test/scripts/acknowledge-twice.ts",
    [
      /^\[!\] A message was acknowledged twice/,
      /^\[!\] This is a bug in the script: /,
    ],
  );
  whenMessageComes(
    "a typo in the name of an exchange",
    "test/scripts/publish-to-no-exchange.ts",
    [/^\[!\] NOT_FOUND - no exchange 'lgos' in vhost/],
  );

  test("a queue as the article declares it: if RabbitMQ refuses it, the script ends at once", async ({ run }) => {
    const program = run("test/scripts/declare-as-the-article.ts");
    const started = performance.now();
    const permitted = await Promise.race([
      program.prints(WAITING_FOR_MESSAGES).then(() => true, () => false),
      program.exitCode.then(() => false),
    ]);
    if (permitted) return expect(await program.stop()).toBe(0); // Before 4.3.
    await program.exits(1);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(program.stderr).toEqual([
      "[!] RabbitMQ no longer permits queues that are neither durable nor exclusive. " +
      "Declare this one with durable: true.",
    ]);
  });

  const failures = {
    "at once": "RangeError: this cannot be done",
    later: "RangeError: this cannot be done",
    file: "ENOENT: no such file",
  };
  for (const [when, message] of Object.entries(failures)) {
    test(`a callback that throws (${when}): its stack trace, exit code 1, and the task is requeued`, async ({ run, virtualHost }) => {
      const worker = run("test/scripts/fail-at-work.ts", when);
      await worker.prints(WAITING_FOR_MESSAGES);
      await run("02-work-queues/new-task.ts").exits(0);
      await worker.exits(1);
      expect(worker.stderr.join("\n")).toMatch(
        new RegExp(`${message}[\\s\\S]*fail-at-work\\.ts`),
      );
      expect(worker.stderr.join("\n")).not.toContain("[!]");
      await expect.poll(() => messagesOn(virtualHost, "task_queue")).toBe(1);
    });
  }

  test("a task that fails is rejected, and the worker continues", async ({ run, virtualHost }) => {
    const worker = run("test/scripts/reject-a-task.ts");
    await worker.prints(WAITING_FOR_MESSAGES);
    for (const task of ["bad", "good"]) {
      await run("02-work-queues/new-task.ts", task).exits(0);
    }
    await worker.warns("[!] Rejected 'bad': RangeError: this cannot be done");
    await expect.poll(() => messagesOn(virtualHost, "task_queue")).toBe(0);
    expect(await worker.stop()).toBe(0);
  });

  test("console.log prints all its values, also into a pipe", async ({ run }) => {
    const program = run("test/scripts/print-values.ts");
    await program.exits(0);
    expect(program.stdout).toEqual(["a { b: 1 } %d 3"]);
  });
});
