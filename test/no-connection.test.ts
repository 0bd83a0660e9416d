/** Addresses at which no broker accepts the connection: one line for each, and exit code 1. */
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join, relative } from "node:path";
import { afterAll, expect, inject, onTestFinished } from "vitest";
import { callManagement } from "../scripts/lib/management.ts";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { root } from "../scripts/lib/program.ts";
import { messagesIn, vhostOf } from "./lib/broker.ts";
import { consumers, READY } from "./lib/consumers.ts";
import { fails, onEveryRuntime, test, withOwnNode } from "./lib/lesson-test.ts";
import { freePort } from "./lib/ports.ts";

const [SEND, RECEIVE] = ["01-hello/send.ts", "01-hello/receive.ts"];
const PORTS = "AMQP's port is 5672, or 5671 for amqps://.";
const START = "or start a broker on this machine: npm run broker";
const NOTHING = "nothing is listening there. To start a broker: npm run broker";
const CLOSED =
  `it closed the connection: a broker that is still starting, or none. ${PORTS}`;
const NO_ANSWER = `no AMQP 0-9-1 broker answers there. ${PORTS} Correct it, ${START}`;
const INVALID =
  "AMQP_URL must look like amqp://user:password@localhost:5672/vhost, with " +
  "/ # ? @ % in a password percent-encoded: %2F %23 %3F %40 %25";

/** What listens instead of a broker, and the line about it. */
const servers: [scheme: string, behave: (it: Socket) => void, line: string][] = [
  ["amqp", () => {}, NO_ANSWER],
  ["amqp", (it) => it.end(), CLOSED],
  ["amqp", (it) => it.resetAndDestroy(), CLOSED],
  ["amqp", (it) => it.end("AMQP\x03\x01\x00\x00"), NO_ANSWER], // AMQP 1.0.
  ["amqps", (it) => it.end("AMQP\x00\x00\x09\x01"), NO_ANSWER], // No TLS.
];

onEveryRuntime("no connection", (test) => {
  test("the port is silent, closes or resets the connection, or does not speak AMQP 0-9-1 or TLS", async ({ runWith }) => {
    for (const [i, [scheme, behave, line]] of servers.entries()) {
      const server = createServer((socket) => behave(socket.on("error", () => {})));
      const port = await freePort();
      await once(server.listen(port, "127.0.0.1"), "listening");
      onTestFinished(() => void server.close());
      const AMQP_URL = `${scheme}://127.0.0.1:${port}`;
      const program = runWith({ env: { AMQP_URL } }, i % 2 ? SEND : RECEIVE);
      expect(await fails(program, `[!] ${AMQP_URL}: ${line}`)).toEqual([]);
    }
  });

  test("nothing listens, or the host, the user or the virtual host is wrong", async ({ virtualHost, runWith }) => {
    const { pathname, host } = new URL(virtualHost);
    const limit = `vhost-limits${pathname}/max-connections`;
    await callManagement(inject("broker"), "PUT", limit, { value: 0 });
    const unknown = `:5671: this host name is unknown. Correct AMQP_URL, ${START}`;
    const login = "wrong user or password, or guest from another machine. Correct it, ";
    const refused = /: refused the virtual host \(after .* log says which\.$/;
    const cases: [address: string, line: string | RegExp][] = [
      [`amqp://me:secret@127.0.0.1:${await freePort()}/here`, NOTHING],
      ["amqps://me:secret@no..such..host", unknown],
      [`amqp://guest:no@${host}`, login + START],
      [`amqp://guest:guest@${host}/nowhere`, refused],
      [virtualHost, refused],
    ];
    for (const [AMQP_URL, line] of cases) {
      const send = runWith({ env: { AMQP_URL } }, SEND);
      expect(await fails(send, /^/)).toEqual([]);
      expect(send.stderr[0]).toContain(`[!] ${AMQP_URL.replace(/:\w+@/, ":***@")}`);
      expect(send.stderr[0]).toMatch(line);
    }
  });
});

test("every script reports that nothing is listening at either address", async ({ runWith }) => {
  const urls = [await freePort(), await freePort()].map((it) =>
    `amqp://127.0.0.1:${it}`
  );
  const producers = ["01-hello/send", "02-work-queues/new-task", "03-pubsub/emit-log"];
  const others = ["04-routing/emit-log", "05-topics/emit-log", "06-rpc/client"];
  const all = [...producers, ...others].map((name): [string] => [`${name}.ts`]);
  for (const [script, ...args] of [...all, ...consumers.map(([words]) => words)]) {
    const program = runWith({ env: { AMQP_URL: urls.join(", ") } }, script, ...args);
    const lines = urls.map((url) => `[!] ${url}: ${NOTHING}`);
    expect(await fails(program, ...lines)).toEqual([]);
  }
});

test("an invalid address is not shown, because any part of it may be the password", async ({ runWith }) => {
  const secrets = ["/cret", "1/cret", "1#cret", "1?cret", "50%"];
  const others = ["http://me:cret@x", "cret@x", "amqp://x:0", "amqp://x, amqp://"];
  for (const AMQP_URL of [...secrets.map((it) => `amqp://me:${it}@x`), ...others]) {
    const send = runWith({ env: { AMQP_URL } }, SEND);
    expect(await fails(send, `[!] ${INVALID}`)).toEqual([]);
  }
});

test("a password with a comma and percent-encoded characters; no permission", async ({ runWith, virtualHost }) => {
  const [broker, user, password] = [
    inject("broker"),
    vhostOf(virtualHost),
    "a,b/c#d?e@f%",
  ];
  await callManagement(broker, "PUT", `users/${user}`, { password, tags: "" });
  onTestFinished(async () => {
    await callManagement(broker, "DELETE", `users/${user}`);
  });
  const none = { configure: "", write: "", read: "" };
  await callManagement(broker, "PUT", `permissions/${user}/${user}`, none);
  const encoded = encodeURIComponent(password).replace("%2C", ",");
  const AMQP_URL = virtualHost.replace("guest:guest", `${user}:${encoded}`);
  const send = runWith({ env: { AMQP_URL } }, SEND);
  await fails(send, /^\[!\] ACCESS_REFUSED - .* refused for user/);
});

test("AMQP_URL may be in .env; a file without it is an error", async ({ virtualHost, runWith }) => {
  // In a copy of the project, to leave the reader's own .env alone.
  const { path, remove } = temporaryFolder("env-file-test-");
  onTestFinished(remove);
  for (const part of ["01-hello", "shared", "package.json", "deno.json"]) {
    cpSync(join(root, part), join(path, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
  const file = join(path, ".env");
  const send = (AMQP_URL = "") =>
    runWith({ env: { AMQP_URL }, cwd: path }, relative(root, join(path, SEND)));
  const line = `AMQP_URL=${virtualHost}\n`;
  writeFileSync(file, `# The broker of the tests\n${line}`);
  await send().exits(0);
  expect(await messagesIn(virtualHost, "hello")).toBe(1);
  const elsewhere = `amqp://127.0.0.1:${await freePort()}`;
  await fails(send(elsewhere), `[!] ${elsewhere}: ${NOTHING}`);

  const misspelt = `AMPQ_URL=${virtualHost}`;
  for (const text of ["", misspelt, Buffer.from(`\ufeff${line}`, "utf16le")]) {
    writeFileSync(file, text);
    const reason = "it has no line AMQP_URL=… in UTF-8";
    await fails(send(), `[!] Correct or delete ${file}: ${reason}.`);
  }
  rmSync(file);
  mkdirSync(file);
  await fails(send(), /^\[!\] Correct or delete .*: .*EISDIR/);
});

const { path: folder, remove } = temporaryFolder("tls-test-");
afterAll(remove);
// An authority, and its certificate for localhost. https://www.rabbitmq.com/docs/ssl
const certificates = `
  new="-newkey rsa:2048 -nodes"
  openssl req -x509 $new -keyout ca.key -subj /CN=authority -days 2 -out authority.pem
  openssl req $new -keyout broker.key -subj /CN=broker -out request.pem
  echo "subjectAltName = DNS:localhost" > extensions
  echo "basicConstraints = CA:FALSE" >> extensions
  signed="-CA authority.pem -CAkey ca.key -CAcreateserial -extfile extensions"
  openssl x509 -req -in request.pem $signed -out broker.pem
`;
execFileSync("bash", ["-ec", certificates], { cwd: folder, stdio: "pipe" });
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
      const receive = start(RECEIVE, "localhost");
      await receive.prints(READY);
      await start(SEND, "localhost").exits(0);
      await receive.prints("[x] Received 'Hello World!'");

      const untrusted = /certificate is not trusted: unable to .* set NODE_/;
      await fails(start(SEND, "localhost", ""), untrusted);
      const elsewhere = /amqps:\S+127.*: Hostname.* today, and for this host\./;
      await fails(start(SEND, "127.0.0.1"), elsewhere);
    });
  });
});
