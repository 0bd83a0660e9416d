/** Addresses at which no broker accepts the connection: one line for each, and exit code 1. */
import { Buffer } from "node:buffer";
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
import { consumers } from "./lib/consumers.ts";
import {
  messagesIn,
  onEveryRuntime,
  test,
  untilTestEnds,
  WAITING_FOR_MESSAGES,
  withOwnNode,
} from "./lib/lesson-test.ts";

const PORTS = "AMQP's port is 5672, or 5671 for amqps://.";
const START = "or start a broker on this machine: npm run broker";
const NOTHING = "nothing is listening there. To start a broker: npm run broker";
const CLOSED =
  `it closed the connection: a broker that is still starting, or none. ${PORTS}`;
const NO_ANSWER =
  `no AMQP 0-9-1 broker answered within 3 s. ${PORTS} Correct it, ${START}`;
const INVALID =
  "AMQP_URL must look like amqp://user:password@localhost:5672/vhost, with " +
  "/ # ? @ % in a password percent-encoded: %2F %23 %3F %40 %25";

type Port = [
  what: string,
  protocol: string,
  behave: (it: Socket) => void,
  line: string,
];
/** Ports that are not a broker's: how they behave, and the line about them. */
const ports: Port[] = [
  ["stays silent", "amqp", () => {}, NO_ANSWER],
  ["closes the connection", "amqp", (it) => it.end(), CLOSED],
  ["resets the connection", "amqp", (it) => it.resetAndDestroy(), CLOSED],
  ["speaks AMQP 1.0", "amqp", (it) => it.end("AMQP\x03\x01\x00\x00"), NO_ANSWER],
  ["does not speak TLS", "amqps", (it) => it.end("AMQP\x00\x00\x09\x01"), NO_ANSWER],
];

onEveryRuntime("no connection", (test) => {
  for (const [i, [what, protocol, behave, line]] of ports.entries()) {
    test(`the port ${what}`, async ({ runWith }) => {
      const server = createServer((socket) => behave(socket.on("error", () => {})));
      const port = await freePort();
      await once(server.listen(port, "127.0.0.1"), "listening");
      onTestFinished(() => void server.close());
      const AMQP_URL = `${protocol}://127.0.0.1:${port}`;
      const script = i % 2 ? "01-hello/send.ts" : "01-hello/receive.ts";
      const program = runWith({ env: { AMQP_URL } }, script);
      await program.exits(1, 10);
      expect(program.stdout).toEqual([]);
      expect(program.stderr).toEqual([`[!] ${AMQP_URL}: ${line}`]);
    });
  }

  test("nothing listens, or the host, the user or the virtual host is wrong", async ({ virtualHost, runWith }) => {
    const { pathname, host } = new URL(virtualHost);
    const fails = async (address: string, line: string | RegExp) => {
      const program = runWith({ env: { AMQP_URL: address } }, "01-hello/send.ts");
      await program.exits(1, 10);
      expect(program.stdout).toEqual([]);
      const where = address.replace(/:\w+@/, ":***@");
      expect(program.stderr).toEqual([expect.stringContaining(`[!] ${where}`)]);
      expect(program.stderr[0]).toMatch(line);
    };
    await fails(`amqp://me:secret@127.0.0.1:${await freePort()}/here`, NOTHING);
    const unknown = `:5671: this host name is unknown. Correct AMQP_URL, ${START}`;
    await fails(`amqps://me:secret@no..such..host`, unknown);
    const login = "wrong user or password, or guest from another machine. Correct it, ";
    await fails(`amqp://guest:no@${host}`, login + START);
    const refused = /: refused the virtual host \(after .* log says which\.$/;
    await fails(`amqp://guest:guest@${host}/nowhere`, refused);
    const limit = `vhost-limits${pathname}/max-connections`;
    await callManagement(inject("broker"), "PUT", limit, { value: 0 });
    await fails(virtualHost, refused);
  });
});

test("every script reports that nothing is listening at either address", async ({ runWith }) => {
  const free = [await freePort(), await freePort()];
  const AMQP_URL = free.map((port) => `amqp://127.0.0.1:${port}`).join(", ");
  const producers = ["01-hello/send", "02-work-queues/new-task", "03-pubsub/emit-log"];
  const others = ["04-routing/emit-log", "05-topics/emit-log", "06-rpc/client"];
  const all = [...producers, ...others].map((name): [string] => [`${name}.ts`]);
  for (const [script, ...args] of [...all, ...consumers.map(([words]) => words)]) {
    const program = runWith({ env: { AMQP_URL } }, script, ...args);
    await program.exits(1, 10);
    expect(program.stdout).toEqual([]);
    const lines = free.map((port) => `[!] amqp://127.0.0.1:${port}: ${NOTHING}`);
    expect(program.stderr).toEqual(lines);
  }
});

test("an invalid address is not shown, because any part of it may be the password", async ({ runWith }) => {
  const bad = ["/cret", "1/cret", "1#cret", "1?cret", "50%"].map((secret) =>
    `amqp://me:${secret}@localhost`
  );
  const others = ["http://me:cret@x", "cret@x", "amqp://x:0", "amqp://x, amqp://"];
  for (const AMQP_URL of [...bad, ...others]) {
    const send = runWith({ env: { AMQP_URL } }, "01-hello/send.ts");
    await send.exits(1, 10);
    expect(send.stdout).toEqual([]);
    expect(send.stderr, AMQP_URL).toEqual([`[!] ${INVALID}`]);
  }
});

test("a password with a comma and percent-encoded characters; no permission", async ({ runWith, virtualHost }) => {
  const [broker, { pathname }] = [inject("broker"), new URL(virtualHost)];
  const [user, password] = [pathname.slice(1), "a,b/c#d?e@f%"];
  await callManagement(broker, "PUT", `users/${user}`, { password, tags: "" });
  onTestFinished(async () => {
    await callManagement(broker, "DELETE", `users/${user}`);
  });
  const none = { configure: "", write: "", read: "" };
  await callManagement(broker, "PUT", `permissions${pathname}/${user}`, none);
  const encoded = encodeURIComponent(password).replace("%2C", ",");
  const AMQP_URL = virtualHost.replace("guest:guest", `${user}:${encoded}`);
  const send = runWith({ env: { AMQP_URL } }, "01-hello/send.ts");
  await send.exits(1);
  const line = /^\[!\] ACCESS_REFUSED - .* refused for user/;
  expect(send.stderr).toEqual([expect.stringMatching(line)]);
});

test("AMQP_URL may be in .env; a file without it is an error", async ({ virtualHost, runtime }) => {
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
  expect(elsewhere).toEqual([expect.stringContaining(NOTHING)]);

  const misspelt = `AMPQ_URL=${virtualHost}`;
  for (const text of ["", misspelt, Buffer.from(`\ufeff${line}`, "utf16le")]) {
    writeFileSync(file, text);
    const reason = "it has no line AMQP_URL=… in UTF-8";
    expect(await send(1)).toEqual([`[!] Correct or delete ${file}: ${reason}.`]);
  }
  rmSync(file);
  mkdirSync(file);
  const folder = /^\[!\] Correct or delete .*: .*EISDIR/;
  expect(await send(1)).toEqual([expect.stringMatching(folder)]);
});

const { path: folder, remove } = temporaryFolder("tls-test-");
afterAll(remove);
makeCertificates();
const port = await freePort();
const settings = [
  `listeners.ssl.1 = 127.0.0.1:${port}`,
  `ssl_options.certfile = ${join(folder, "broker.pem")}`,
  `ssl_options.keyfile = ${join(folder, "broker.key")}`,
];

withOwnNode("TLS", { settings }, () => {
  onEveryRuntime("an authority of one's own", (test) => {
    test("it is trusted with NODE_EXTRA_CA_CERTS, if the host is right", async ({ runWith }) => {
      const start = (script: string, host: string, trust = "authority.pem") => {
        const AMQP_URL = `amqps://guest:guest@${host}:${port}`;
        const NODE_EXTRA_CA_CERTS = trust && join(folder, trust);
        return runWith({ env: { AMQP_URL, NODE_EXTRA_CA_CERTS } }, script);
      };
      const receive = start("01-hello/receive.ts", "localhost");
      await receive.prints(WAITING_FOR_MESSAGES);
      await start("01-hello/send.ts", "localhost").exits(0);
      await receive.prints("[x] Received 'Hello World!'");

      const untrusted = start("01-hello/send.ts", "localhost", "");
      const elsewhere = start("01-hello/send.ts", "127.0.0.1");
      for (const send of [untrusted, elsewhere]) await send.exits(1);
      expect([...untrusted.stderr, ...elsewhere.stderr]).toEqual([
        expect.stringMatching(/certificate is not trusted: unable to .* set NODE_/),
        expect.stringMatching(/amqps:\S+127.*: Hostname.* today, and for this host\./),
      ]);
    });
  });
});

/** Creates an authority, and its certificate for localhost. https://www.rabbitmq.com/docs/ssl */
function makeCertificates(): void {
  const openssl = (command: string) =>
    execFileSync("openssl", command.split(" "), { cwd: folder, stdio: "pipe" });
  const newKey = "-newkey rsa:2048 -nodes -keyout";
  openssl(
    `req -x509 ${newKey} authority.key -subj /CN=authority -days 2 -out authority.pem`,
  );
  openssl(`req ${newKey} broker.key -subj /CN=broker -out request.pem`);
  const extensions = "subjectAltName = DNS:localhost\nbasicConstraints = CA:FALSE\n";
  writeFileSync(join(folder, "extensions"), extensions);
  const signed = "-CA authority.pem -CAkey authority.key -CAcreateserial";
  openssl(`x509 -req -in request.pem ${signed} -extfile extensions -out broker.pem`);
}
