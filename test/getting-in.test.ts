/** Addresses that lead to no broker, or to one that does not let us in. */
import { once } from "node:events";
import { cpSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, inject, onTestFinished } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, runtimes } from "../scripts/lib/program.ts";
import { freePort } from "../scripts/lib/rabbitmq-node.ts";
import { messagesOn, onEveryRuntime, untilTestEnds } from "./lib/lesson-test.ts";

onEveryRuntime("getting in", (test) => {
  /** What a person sees for each address: in all cases exit code 1, soon, and nothing else. */
  const refuses = (
    what: string,
    address: (good: URL) => string | Promise<string>,
    lines: RegExp[],
  ) =>
    test(what, async ({ virtualHost, runWith }) => {
      const AMQP_URL = await address(new URL(virtualHost));
      for (const script of ["01-hello/send.ts", "01-hello/receive.ts"]) {
        const started = performance.now();
        const program = runWith({ env: { AMQP_URL } }, script);
        expect(await program.exitCode).toBe(1);
        expect(performance.now() - started).toBeLessThan(10_000);
        expect(program.stdout).toEqual([]);
        expect(program.stderr).toEqual(
          lines.map((line) => expect.stringMatching(line)),
        );
        expect(program.stderr.join()).not.toContain("secret");
      }
    });

  refuses(
    "a wrong password",
    (url) => Object.assign(url, { password: "secret" }).href,
    [
      /^\[!\] amqp:\/\/guest:\*\*\*@.* refused the user or the password\.$/,
      /^\[!\] Put the right ones into AMQP_URL/,
    ],
  );
  refuses(
    "no such virtual host",
    (url) => Object.assign(url, { pathname: "/nowhere" }).href,
    [
      /^\[!\] amqp:\/\/.*\/nowhere refused the virtual host: it is not there, or /,
      /^\[!\] Name another after the port in AMQP_URL\./,
    ],
  );
  refuses("an unknown host", () => "amqp://me:secret@no..such..host", [
    /^\[!\] There is no host no\.\.such\.\.host, which amqp:.*names\.$/,
    /^\[!\] Set AMQP_URL to the address of a broker, or start one here: npm run broker$/,
  ]);
  refuses("a port out of range", () => "amqp://me:secret@localhost:56720", [
    /^\[!\] Nothing listens at amqp:\/\/me:\*\*\*@localhost:56720\.$/,
    /npm run broker$/,
  ]);
  for (
    const address of [
      "amqp://me:secret@localhost:99999",
      "amqp://localhost:0",
      "http://me:secret@localhost",
      "secret@x",
    ]
  ) {
    refuses(`no AMQP address: ${address}`, () => address, [
      /^\[!\] AMQP_URL is not the address of a broker: (\w+:\/\/(\*\*\*@)?localhost.*|\*\*\*@x)$/,
      /^\[!\] It looks like this: amqp:\/\/user:password@localhost:5672\/vhost$/,
    ]);
  }
  refuses("a port that takes connections and stays silent", silentPort, [
    /^\[!\] amqp:\/\/127\.0\.0\.1:\d+ does not answer as a broker does/,
    /5672.*npm run broker$/,
  ]);
  refuses(
    "a port where HTTP is spoken",
    () => inject("broker").managementUrl.replace("http:", "amqp:"),
    [
      /^\[!\] amqp:\/\/.* does not answer as a broker does/,
      /5672.*npm run broker$/,
    ],
  );
  refuses(
    "TLS where there is none",
    (url) => Object.assign(url, { protocol: "amqps:" }).href,
    [
      /^\[!\] amqps:\/\/.* does not answer as a broker does/,
      /5671.*npm run broker$/,
    ],
  );
  refuses(
    "nothing there",
    async () => `amqp://me:secret@localhost:${await freePort()}`,
    [
      /^\[!\] Nothing listens at amqp:\/\/me:\*\*\*@localhost:\d+\.$/,
      /^\[!\] Start a broker in another terminal: npm run broker$/,
    ],
  );

  test("the address may stand in .env; the environment goes first", async ({ virtualHost, runtime }) => {
    // In a copy of the project, so that a person's own .env is left alone.
    const { path, remove } = temporaryFolder("getting-in-test-");
    onTestFinished(remove);
    for (const part of ["01-hello", "shared", "package.json", "deno.json"]) {
      cpSync(join(root, part), join(path, part), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
    writeFileSync(join(path, ".env"), `AMQP_URL=${virtualHost}\n`);
    const send = (AMQP_URL: string) => {
      const command = [...runtimes[runtime].command, join(path, "01-hello/send.ts")];
      return untilTestEnds(new Program(command, { env: { AMQP_URL }, cwd: path }));
    };
    expect(await send("").exitCode).toBe(0);
    expect(await messagesOn(virtualHost, "hello")).toBe(1);
    const elsewhere = send(`amqp://127.0.0.1:${await freePort()}`);
    expect(await elsewhere.exitCode).toBe(1);
    expect(elsewhere.stderr[0]).toMatch(
      /^\[!\] Nothing listens at amqp:\/\/127\.0\.0\.1/,
    );
  });
});

/** An address where something listens that never says a word. */
async function silentPort(): Promise<string> {
  const port = await freePort();
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `amqp://127.0.0.1:${port}`;
}
