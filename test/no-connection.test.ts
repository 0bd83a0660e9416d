/** Addresses at which no broker accepts the connection: one line for each, and exit code 1. */
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
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
const START = "To start a broker, in rabbitmq-by-example: npm run broker";
const NOTHING = `nothing is listening there. ${START}`;
const CLOSED =
  `it closed the connection: a broker that is still starting, or none. ${PORTS}`;
const NO_ANSWER = `no AMQP 0-9-1 broker answers there. ${PORTS} Correct it. ${START}`;
const INVALID =
  "AMQP_URL must look like amqp://user:password@localhost:5672/vhost, with " +
  "/ # ? @ % in a password percent-encoded: %2F %23 %3F %40 %25";

/** What listens instead of a broker, and the line about it. */
const servers: {
  does: string;
  behave: (socket: Socket) => void;
  scheme?: string;
  line: string;
}[] = [
  { does: "is silent", behave: () => {}, line: NO_ANSWER },
  { does: "closes the connection", behave: (socket) => socket.end(), line: CLOSED },
  {
    does: "resets the connection",
    behave: (socket) => socket.resetAndDestroy(),
    line: CLOSED,
  },
  {
    does: "speaks AMQP 1.0",
    behave: (socket) => socket.end("AMQP\x03\x01\x00\x00"),
    line: NO_ANSWER,
  },
  {
    does: "does not speak TLS",
    behave: (socket) => socket.end("AMQP\x00\x00\x09\x01"),
    scheme: "amqps",
    line: NO_ANSWER,
  },
];

onEveryRuntime("no connection", (test) => {
  for (const { does, behave, scheme = "amqp", line } of servers) {
    test(`the server ${does}: one line, exit code 1`, async ({ runWith }) => {
      const server = createServer((socket) => {
        socket.on("error", () => {});
        behave(socket);
      });
      const port = await freePort();
      await once(server.listen(port, "127.0.0.1"), "listening");
      onTestFinished(() => void server.close());
      const AMQP_URL = `${scheme}://127.0.0.1:${port}`;
      const receive = runWith({ env: { AMQP_URL } }, RECEIVE);
      expect(await fails(receive, `[!] ${AMQP_URL}: ${line}`)).toEqual([]);
    });
  }

  test("nothing is listening: one line, without the password", async ({ runWith }) => {
    const port = await freePort();
    const env = { AMQP_URL: `amqp://me:secret@127.0.0.1:${port}/here` };
    const line = `[!] amqp://me:***@127.0.0.1:${port}/here: ${NOTHING}`;
    expect(await fails(runWith({ env }, SEND), line)).toEqual([]);
  });

  test("the host is unknown: one line", async ({ runWith }) => {
    const env = { AMQP_URL: "amqps://me:secret@no..such..host" };
    const line = "[!] amqps://me:***@no..such..host:5671: this host name is unknown. " +
      `Correct AMQP_URL. ${START}`;
    expect(await fails(runWith({ env }, SEND), line)).toEqual([]);
  });

  test("the password is wrong: one line, without it", async ({ runWith, virtualHost }) => {
    const { host } = new URL(virtualHost);
    const env = { AMQP_URL: `amqp://guest:no@${host}` };
    const line =
      `[!] amqp://guest:***@${host}: wrong user or password, or guest from ` +
      `another machine. Correct it. ${START}`;
    expect(await fails(runWith({ env }, SEND), line)).toEqual([]);
  });

  const refused =
    /^\[!\] amqp:.*: refused the virtual host \(after .* log says which\.$/;

  test("the virtual host does not exist: one line", async ({ runWith, virtualHost }) => {
    const env = { AMQP_URL: `${virtualHost}-that-nobody-has-created` };
    expect(await fails(runWith({ env }, SEND), refused)).toEqual([]);
  });

  test("the virtual host has too many connections: one line", async ({ run, virtualHost }) => {
    const limit = `vhost-limits/${vhostOf(virtualHost)}/max-connections`;
    await callManagement(inject("broker"), "PUT", limit, { value: 0 });
    expect(await fails(run(SEND), refused)).toEqual([]);
  });
});

test("every script reports that nothing is listening at either address", async ({ runWith }) => {
  const urls = [await freePort(), await freePort()].map((it) =>
    `amqp://127.0.0.1:${it}`
  );
  const producers = ["01-hello/send", "02-work-queues/new-task", "03-pubsub/emit-log"];
  const others = ["04-routing/emit-log", "05-topics/emit-log", "06-rpc/client"];
  const commands = [
    ...[...producers, ...others].map((name): [string] => [`${name}.ts`]),
    ...consumers.map(({ command }) => command),
  ];
  for (const command of commands) {
    const program = runWith({ env: { AMQP_URL: urls.join(", ") } }, ...command);
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

/** Creates a user with a password who may do what these permissions say. */
async function createUser(virtualHost: string, password: string, may: string) {
  const broker = inject("broker");
  const user = vhostOf(virtualHost);
  await callManagement(broker, "PUT", `users/${user}`, { password, tags: "" });
  onTestFinished(async () => {
    await callManagement(broker, "DELETE", `users/${user}`);
  });
  const permissions = { configure: may, write: may, read: may };
  await callManagement(broker, "PUT", `permissions/${user}/${user}`, permissions);
  return user;
}

test("a password may contain a comma, and percent-encoded characters", async ({ runWith, virtualHost }) => {
  const password = "a,b/c#d?e@f%";
  const user = await createUser(virtualHost, password, ".*");
  const encoded = encodeURIComponent(password).replace("%2C", ",");
  const AMQP_URL = virtualHost.replace("guest:guest", `${user}:${encoded}`);
  await runWith({ env: { AMQP_URL } }, SEND).exits(0);
});

test("a user without permission: one line", async ({ runWith, virtualHost }) => {
  const user = await createUser(virtualHost, "secret", "");
  const AMQP_URL = virtualHost.replace("guest:guest", `${user}:secret`);
  const send = runWith({ env: { AMQP_URL } }, SEND);
  await fails(send, /^\[!\] ACCESS_REFUSED - .* refused for user/);
});

/** A copy of a lesson, whose .env may be changed: the reader's own is left alone. */
function copyLesson() {
  const { path, remove } = temporaryFolder("env-file-test-");
  onTestFinished(remove);
  for (const part of ["01-hello", "shared", "package.json", "deno.json"]) {
    cpSync(join(root, part), join(path, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
  return { path, file: join(path, ".env"), script: relative(root, join(path, SEND)) };
}

test("AMQP_URL may be in .env", async ({ virtualHost, runWith }) => {
  const { path, file, script } = copyLesson();
  writeFileSync(file, `# The broker of the tests\nAMQP_URL=${virtualHost}\n`);
  await runWith({ env: { AMQP_URL: "" }, cwd: path }, script).exits(0);
  expect(await messagesIn(virtualHost, "hello")).toBe(1);
});

test("AMQP_URL in the environment takes precedence over .env", async ({ virtualHost, runWith }) => {
  const { path, file, script } = copyLesson();
  writeFileSync(file, `AMQP_URL=${virtualHost}\n`);
  const AMQP_URL = `amqp://127.0.0.1:${await freePort()}`;
  const send = runWith({ env: { AMQP_URL }, cwd: path }, script);
  await fails(send, `[!] ${AMQP_URL}: ${NOTHING}`);
});

const unusable = [
  { what: "an empty .env", text: "" },
  { what: "a .env without AMQP_URL", text: "AMPQ_URL=amqp://localhost" },
  {
    what: "a .env in UTF-16",
    text: Buffer.from("\ufeffAMQP_URL=amqp://localhost\n", "utf16le"),
  },
];
for (const { what, text } of unusable) {
  test(`${what}: one line`, async ({ runWith }) => {
    const { path, file, script } = copyLesson();
    writeFileSync(file, text);
    const send = runWith({ env: { AMQP_URL: "" }, cwd: path }, script);
    const reason = "it has no line AMQP_URL=… in UTF-8";
    await fails(send, `[!] Correct or delete ${file}: ${reason}.`);
  });
}

test("a folder .env: one line", async ({ runWith }) => {
  const { path, file, script } = copyLesson();
  mkdirSync(file);
  const send = runWith({ env: { AMQP_URL: "" }, cwd: path }, script);
  await fails(send, /^\[!\] Correct or delete .*: .*EISDIR/);
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
    test("it is trusted with NODE_EXTRA_CA_CERTS, and not without", async ({ runWith }) => {
      const AMQP_URL = `amqps://guest:guest@localhost:${port}`;
      const NODE_EXTRA_CA_CERTS = join(folder, "authority.pem");
      await runWith({ env: { AMQP_URL, NODE_EXTRA_CA_CERTS } }, SEND).exits(0);
      const untrusted = /certificate is not trusted: unable to .* set NODE_/;
      await fails(runWith({ env: { AMQP_URL } }, SEND), untrusted);
    });

    test("a certificate for another host is not trusted", async ({ runWith }) => {
      const AMQP_URL = `amqps://guest:guest@127.0.0.1:${port}`;
      const NODE_EXTRA_CA_CERTS = join(folder, "authority.pem");
      const send = runWith({ env: { AMQP_URL, NODE_EXTRA_CA_CERTS } }, SEND);
      await fails(send, /amqps:\S+127.*: Hostname.* today, and for this host\./);
    });
  });

  test("a consumer works over TLS", async ({ runWith }) => {
    const AMQP_URL = `amqps://guest:guest@localhost:${port}`;
    const env = { AMQP_URL, NODE_EXTRA_CA_CERTS: join(folder, "authority.pem") };
    const receive = runWith({ env }, RECEIVE);
    await receive.prints(READY);
    await runWith({ env }, SEND).exits(0);
    await receive.prints("[x] Received 'Hello World!'");
  });
});
