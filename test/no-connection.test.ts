/** Addresses at which no broker accepts the connection: one line for each, and exit code 1. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, expect, inject, onTestFinished } from "vitest";
import { callManagement } from "../scripts/lib/broker-to-use.ts";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { Program, root, runtimes } from "../scripts/lib/program.ts";
import { freePort } from "../scripts/lib/rabbitmq-node.ts";
import {
  messagesIn,
  onEveryRuntime,
  test as testInTurn,
  untilTestEnds,
  WAITING_FOR_MESSAGES,
  withOwnNode,
} from "./lib/lesson-test.ts";

const START = "or start a broker on this machine: npm run broker";
const PORTS = "AMQP's port is 5672, or 5671 for amqps://.";
const MUST_LOOK_LIKE =
  "AMQP_URL must look like amqp://user:password@localhost:5672/vhost, " +
  "with / # ? @ % in a password percent-encoded: %2F %23 %3F %40 %25";

/** Starts a server with a behavior of its own, and returns its address. */
async function server(protocol: string, behave: (socket: Socket) => void) {
  const listening = createServer((socket) => behave(socket.on("error", () => {})));
  const port = await freePort();
  await once(listening.listen(port, "127.0.0.1"), "listening");
  onTestFinished(() => void listening.close());
  return `${protocol}://127.0.0.1:${port}`;
}

/** What is wrong, the address, given a good one, and the line after the address. */
const refused: [
  what: string,
  address: (good: URL) => string | Promise<string>,
  line: string,
][] = [
  [
    "nothing is listening",
    async () => `amqp://me:secret@127.0.0.1:${await freePort()}/here`,
    "nothing is listening there. To start a broker: npm run broker",
  ],
  [
    "a wrong password",
    (url) => Object.assign(url, { username: "guest", password: "secret" }).href,
    `wrong user or password, or guest from another machine. Correct it, ${START}`,
  ],
  [
    "an unknown virtual host",
    (url) => Object.assign(url, { pathname: "/nowhere" }).href,
    "refused the virtual host (after the port): it does not exist, this user may not use " +
    "it, or there are too many connections. The broker's log says which.",
  ],
  [
    "an unknown host",
    () => "amqp://me:secret@no..such..host",
    `this host name is unknown. Correct AMQP_URL, ${START}`,
  ],
  [
    "a port that stays silent",
    () => server("amqp", () => {}),
    `no AMQP 0-9-1 broker answered within 3 s. ${PORTS} Correct it, ${START}`,
  ],
  [
    "a port that closes the connection",
    () => server("amqp", (socket) => socket.end()),
    `it closed the connection: a broker that is still starting, or none. ${PORTS}`,
  ],
  [
    "a port that resets the connection",
    () => server("amqp", (socket) => socket.resetAndDestroy()),
    `it closed the connection: a broker that is still starting, or none. ${PORTS}`,
  ],
  [
    "a port that speaks AMQP 1.0",
    () => server("amqp", (socket) => socket.end("AMQP\x03\x01\x00\x00")),
    `no AMQP 0-9-1 broker answered within 3 s. ${PORTS} Correct it, ${START}`,
  ],
  [
    "TLS on a port without TLS",
    () => server("amqps", (socket) => socket.end("AMQP\x00\x00\x09\x01")),
    `no AMQP 0-9-1 broker answered within 3 s. ${PORTS} Correct it, ${START}`,
  ],
];

onEveryRuntime("no connection", (test) => {
  for (const [i, [what, address, line]] of refused.entries()) {
    test(what, async ({ virtualHost, runWith }) => {
      const AMQP_URL = await address(new URL(virtualHost));
      const where = new URL(AMQP_URL);
      const script = ["01-hello/send.ts", "01-hello/receive.ts"][i % 2] ?? "";
      const program = runWith({ env: { AMQP_URL } }, script);
      await program.exits(1, 10);
      expect(program.stdout).toEqual([]);
      const user = where.username && `${where.username}:***@`;
      const path = where.pathname.length > 1 ? where.pathname : "";
      const port = where.port || 5672;
      expect(program.stderr).toEqual([
        `[!] ${where.protocol}//${user}${where.hostname}:${port}${path}: ${line}`,
      ]);
    });
  }
});

testInTurn(
  "every script reports that nothing is listening at one address, nor at the other",
  async ({ runWith }) => {
    const ports = [await freePort(), await freePort()];
    const AMQP_URL = ports.map((port) => `amqp://127.0.0.1:${port}`).join(", ");
    for (
      const [script = "", ...args] of [
        ["01-hello/send.ts"],
        ["01-hello/receive.ts"],
        ["02-work-queues/new-task.ts"],
        ["02-work-queues/worker.ts"],
        ["03-pubsub/emit-log.ts"],
        ["03-pubsub/receive-logs.ts"],
        ["04-routing/emit-log.ts"],
        ["04-routing/receive-logs.ts", "info"],
        ["05-topics/emit-log.ts"],
        ["05-topics/receive-logs.ts", "#"],
        ["06-rpc/server.ts"],
        ["06-rpc/client.ts"],
      ]
    ) {
      const program = runWith({ env: { AMQP_URL } }, script, ...args);
      await program.exits(1, 10);
      expect(program.stdout).toEqual([]);
      expect(program.stderr).toEqual(
        ports.map((port) =>
          `[!] amqp://127.0.0.1:${port}: nothing is listening there. To start a broker: npm run broker`
        ),
      );
    }
  },
);

testInTurn(
  "an invalid address is not shown, because any part of it may be the password",
  async ({ runWith }) => {
    for (
      const AMQP_URL of [
        "http://me:secret@localhost",
        "secret@x",
        "amqp://me:se/cret@localhost",
        "amqp://me:1/secret@localhost",
        "amqp://me:1#secret@localhost",
        "amqp://me:1?secret@localhost",
        "amqp://me:50%secret@localhost",
        "amqp://localhost:0",
        "amqp://localhost, amqp://",
      ]
    ) {
      const send = runWith({ env: { AMQP_URL } }, "01-hello/send.ts");
      await send.exits(1, 10);
      expect(send.stdout).toEqual([]);
      expect(send.stderr, AMQP_URL).toEqual([`[!] ${MUST_LOOK_LIKE}`]);
    }
  },
);

testInTurn(
  "a password with a comma, and with percent-encoded characters",
  async ({ runWith, virtualHost }) => {
    const [broker, { pathname }] = [inject("broker"), new URL(virtualHost)];
    const [user, password] = [pathname.slice(1), "a,b/c#d?e@f%"];
    await callManagement(broker, "PUT", `users/${user}`, { password, tags: "" });
    onTestFinished(async () =>
      void await callManagement(broker, "DELETE", `users/${user}`)
    );
    const all = { configure: ".*", write: ".*", read: ".*" };
    await callManagement(broker, "PUT", `permissions${pathname}/${user}`, all);
    const encoded = encodeURIComponent(password).replace("%2C", ",");
    const AMQP_URL = virtualHost.replace("guest:guest", `${user}:${encoded}`);
    await runWith({ env: { AMQP_URL } }, "01-hello/send.ts").exits(0);
  },
);

testInTurn("a connection limit is reached", async ({ run, virtualHost }) => {
  const path = `vhost-limits${new URL(virtualHost).pathname}/max-connections`;
  await callManagement(inject("broker"), "PUT", path, { value: 0 });
  const send = run("01-hello/send.ts");
  await send.exits(1);
  expect(send.stderr).toEqual([
    expect.stringMatching(/or there are too many connections/),
  ]);
});

testInTurn(
  "AMQP_URL may be in .env; a file without it is an error",
  async ({ virtualHost, runtime }) => {
    // In a copy of the project, to leave the reader's own .env alone.
    const { path, remove } = temporaryFolder("env-file-test-");
    onTestFinished(remove);
    for (const part of ["01-hello", "shared", "package.json", "deno.json"]) {
      cpSync(join(root, part), join(path, part), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
    const file = join(path, ".env");
    const send = async (code: number, AMQP_URL = "") => {
      const command = [...runtimes[runtime].command, join(path, "01-hello/send.ts")];
      const program = untilTestEnds(
        new Program(command, { env: { AMQP_URL }, cwd: path }),
      );
      await program.exits(code);
      return program.stderr;
    };
    const line = `AMQP_URL=${virtualHost}\n`;

    writeFileSync(file, `# The broker of the tests\n${line}`);
    await send(0);
    expect(await messagesIn(virtualHost, "hello")).toBe(1);
    const elsewhere = await send(1, `amqp://127.0.0.1:${await freePort()}`);
    expect(elsewhere).toEqual([expect.stringMatching(/nothing is listening there/)]);

    const noLine = "it has no line AMQP_URL=… in UTF-8";
    for (
      const [text, reason] of [
        ["", noLine],
        [`AMPQ_URL=${virtualHost}`, noLine],
        [Buffer.from(`\ufeff${line}`, "utf16le"), noLine],
      ] as const
    ) {
      writeFileSync(file, text);
      expect(await send(1)).toEqual([`[!] Correct or delete ${file}: ${reason}.`]);
    }
    rmSync(file);
    mkdirSync(file);
    expect(await send(1)).toEqual([
      expect.stringMatching(/Correct or delete .*: .*EISDIR/),
    ]);
  },
);

const { path: folder, remove } = temporaryFolder("tls-test-");
afterAll(remove);
const port = await freePort();
const settings = [
  `listeners.ssl.1 = 127.0.0.1:${port}`,
  `ssl_options.certfile = ${join(folder, "broker.pem")}`,
  `ssl_options.keyfile = ${join(folder, "broker.key")}`,
];
makeCertificates();

withOwnNode("TLS", { settings }, () => {
  onEveryRuntime("with a certificate from an authority of one's own", (test) => {
    test("it is trusted with NODE_EXTRA_CA_CERTS, if the host is right", async ({ runWith }) => {
      const start = (
        script: string,
        host: string,
        trust = join(folder, "authority.pem"),
      ) =>
        runWith({
          env: {
            AMQP_URL: `amqps://guest:guest@${host}:${port}`,
            NODE_EXTRA_CA_CERTS: trust,
          },
        }, script);
      const receive = start("01-hello/receive.ts", "localhost");
      await receive.prints(WAITING_FOR_MESSAGES);
      await start("01-hello/send.ts", "localhost").exits(0);
      await receive.prints("[x] Received 'Hello World!'");

      for (
        const [host, trust, reason] of [
          ["localhost", "", "unable to verify the first certificate"],
          ["127.0.0.1", undefined, "Hostname/IP does not match"],
        ] as const
      ) {
        const send = start("01-hello/send.ts", host, trust);
        await send.exits(1);
        const [line = "", ...others] = send.stderr;
        expect(others).toEqual([]);
        expect(line).toContain(
          `[!] amqps://guest:***@${host}:${port}: its certificate is not trusted: ${reason}`,
        );
        expect(line).toMatch(/set NODE_EXTRA_CA_CERTS to its certificate\.$/);
      }
    });
  });
});

/** Creates an authority, and its certificate for localhost. https://www.rabbitmq.com/docs/ssl */
function makeCertificates(): void {
  const openssl = (command: string) =>
    execFileSync("openssl", command.split(" "), { cwd: folder, stdio: "pipe" });
  const newKey = "-newkey rsa:2048 -nodes";
  openssl(
    `req -x509 ${newKey} -subj /CN=authority -days 2 -keyout authority.key -out authority.pem`,
  );
  openssl(`req ${newKey} -subj /CN=broker -keyout broker.key -out request.pem`);
  const extensions = "subjectAltName = DNS:localhost\nbasicConstraints = CA:FALSE\n";
  writeFileSync(join(folder, "extensions"), extensions);
  const signed =
    "-CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile extensions";
  openssl(`x509 -req -in request.pem ${signed} -out broker.pem`);
}
