/** Addresses without a broker, and brokers that refuse the connection. */
import { once } from "node:events";
import { cpSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, inject, onTestFinished } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, runtimes } from "../scripts/lib/program.ts";
import { freePort } from "../scripts/lib/rabbitmq-node.ts";
import { messagesOn, onEveryRuntime, untilTestEnds } from "./lib/lesson-test.ts";

onEveryRuntime("connecting", (test) => {
  /** Tests that an address ends in exit code 1, soon, with these lines and nothing else. */
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
        await program.exits(1);
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
    (url) => Object.assign(url, { username: "guest", password: "secret" }).href,
    [
      /^\[!\] amqp:\/\/guest:\*\*\*@.* rejected the user name or the password\.$/,
      /^\[!\] Correct them in AMQP_URL/,
    ],
  );
  refuses(
    "an unknown virtual host",
    (url) => Object.assign(url, { pathname: "/nowhere" }).href,
    [
      /^\[!\] amqp:\/\/.*\/nowhere refused the virtual host: it does not exist, /,
      /^\[!\] The virtual host comes after the port in AMQP_URL\./,
    ],
  );
  refuses("an unknown host", () => "amqp://me:secret@no..such..host", [
    /^\[!\] The host name in amqp:.*no\.\.such\.\.host:5672 cannot be resolved\.$/,
    /^\[!\] Set AMQP_URL to the address of a broker, or start one on this machine: npm run broker$/,
  ]);
  for (
    const address of [
      "http://me:secret@localhost",
      "secret@x",
    ]
  ) {
    refuses(`an invalid address: ${address}`, () => address, [
      /^\[!\] AMQP_URL is not a valid broker address: (\w+:\/\/(\*\*\*@)?localhost.*|\*\*\*@x)$/,
      /^\[!\] It should look like this: amqp:\/\/user:password@localhost:5672\/vhost$/,
    ]);
  }
  refuses("a port that accepts connections and stays silent", silentPort, [
    /^\[!\] amqp:\/\/127\.0\.0\.1:\d+ does not respond like an AMQP broker/,
    /5672.*npm run broker$/,
  ]);
  refuses(
    "an HTTP port",
    () => inject("broker").managementUrl.replace("http:", "amqp:"),
    [
      /^\[!\] amqp:\/\/.* does not respond like an AMQP broker/,
      /5672.*npm run broker$/,
    ],
  );
  refuses(
    "TLS on a port without TLS",
    (url) => Object.assign(url, { protocol: "amqps:" }).href,
    [
      /^\[!\] amqps:\/\/.* does not respond like an AMQP broker/,
      /5671.*npm run broker$/,
    ],
  );
  test("the address may be in .env; the environment takes precedence", async ({ virtualHost, runtime }) => {
    // In a copy of the project, to leave the reader's own .env alone.
    const { path, remove } = temporaryFolder("connecting-test-");
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
    await send("").exits(0);
    expect(await messagesOn(virtualHost, "hello")).toBe(1);
    const elsewhere = send(`amqp://127.0.0.1:${await freePort()}`);
    await elsewhere.exits(1);
    expect(elsewhere.stderr[0]).toMatch(
      /^\[!\] Nothing is listening at amqp:\/\/127\.0\.0\.1/,
    );
  });
});

/** Starts a server that never responds, and returns its address. */
async function silentPort(): Promise<string> {
  const port = await freePort();
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `amqp://127.0.0.1:${port}`;
}
