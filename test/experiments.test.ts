/** The experiments of lesson 2 that need `npm run ctl`, with the commands of its page. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { expect } from "vitest";
import { root } from "../scripts/lib/program.ts";
import { READY } from "./lib/consumers.ts";
import { runBroker, test, untilTestEnds, whereInstalled } from "./lib/lesson-test.ts";
import { freePort } from "./lib/ports.ts";

const page = readFileSync(join(root, "02-work-queues/README.md"), "utf8");
/** Finds the page's first command of rabbitmqctl with a name, on one line or more. */
const find = (name: string) =>
  String(page.match(`npm run ctl -- ${name}(\\\\\n|[^\`\n])*`)?.[0]);

whereInstalled("experiments", () => {
  test("a poison message is dead-lettered by a policy", async ({ runWith }) => {
    const port = await freePort();
    const env = { AMQP_URL: `amqp://localhost:${port}` };
    const options = { cwd: root, env: { ...process.env, ...env } };
    const control = (name: string) =>
      String(execFileSync("bash", ["-c", find(name)], options));
    await untilTestEnds(runBroker(port)).prints("To stop it, press CTRL+C", 1, 120);

    const receive = runWith({ env }, "01-hello/receive.ts");
    await receive.prints(READY);
    control("set_policy");
    const task = "poison....................";
    const line = `[x] Received '${task}'`;
    await runWith({ env }, "02-work-queues/new-task.ts", task).exits(0);
    for (const signal of ["SIGINT", "SIGKILL", "SIGTERM"] as const) {
      const worker = runWith({ env }, "02-work-queues/worker.ts");
      await worker.prints(line);
      if (signal !== "SIGINT") {
        await worker.warns("[!] Redelivered: it may have been done before");
      }
      worker.signal(signal);
      await worker.exits();
    }
    await receive.prints(line);
    await expect.poll(() => control("list_queues")).toMatch(/task_queue\s+0\s+0/);
    control("clear_policy");
    expect(receive.stdout.slice(1)).toEqual([line]);
  });
});
