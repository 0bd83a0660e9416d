/** The experiments of lesson 2 that need `npm run ctl`, with the commands of its page. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Program, root, runScript } from "../scripts/lib/program.ts";
import { freePort } from "../scripts/lib/rabbitmq-node.ts";
import {
  runBroker,
  untilTestEnds,
  WAITING_FOR_MESSAGES,
  whereInstalled,
} from "./lib/lesson-test.ts";
import { runtimesToTest } from "./lib/runtimes.ts";

/** The commands of the page that run rabbitmqctl. */
const page = readFileSync(join(root, "02-work-queues/README.md"), "utf8");
const commands = [...page.matchAll(/^```sh\n(npm run ctl .*?)^```$/gms)].map((
  [, code],
) => code);

whereInstalled("experiments", () => {
  let env: { AMQP_URL: string };
  let broker: Program;
  beforeAll(async () => {
    const port = await freePort();
    env = { AMQP_URL: `amqp://localhost:${port}` };
    broker = runBroker(port);
    await broker.prints("To stop it, press CTRL+C", 1, 120);
  });
  afterAll(() => broker.stop());

  test.each(runtimesToTest)(
    "a poison message is dead-lettered by a policy, on %s",
    async (runtime) => {
      const run = (script: string, ...args: string[]) =>
        untilTestEnds(runScript(runtime, script, args, { env }));
      const control = async (command = "") => {
        const program = untilTestEnds(new Program(["bash", "-c", command], { env }));
        await program.exits(0);
        return program.stdout.join("\n");
      };

      const [listQueues, setPolicy, clearPolicy] = commands;
      const receive = run("01-hello/receive.ts");
      await receive.prints(WAITING_FOR_MESSAGES);
      await control(setPolicy);
      const task = "poison....................";
      await run("02-work-queues/new-task.ts", task).exits(0);
      for (const attempt of [1, 2, 3]) {
        const worker = run("02-work-queues/worker.ts");
        await worker.prints(`[x] Received '${task}'`);
        if (attempt > 1) {
          await worker.warns(
            `[!] Attempt ${attempt}: the previous one was not acknowledged`,
          );
        }
        worker.signal("SIGKILL");
        await worker.exitCode;
      }
      await receive.prints(`[x] Received '${task}'`);
      await expect.poll(() => control(listQueues), { timeout: 20_000 }).toMatch(
        /task_queue\s+0\s+0/,
      );
      await control(clearPolicy);
      expect(await receive.stop()).toBe(0);
      expect(receive.stdout).toEqual([WAITING_FOR_MESSAGES, `[x] Received '${task}'`]);
      const deletion = run("scripts/delete.ts", "queue", "task_queue");
      await deletion.exits(0);
    },
  );
});
