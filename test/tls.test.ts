/** `amqps://`: a broker with a certificate from a private authority, trusted or not. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../scripts/lib/clean-up.ts";
import { runScript } from "../scripts/lib/program.ts";
import {
  freePort,
  type RabbitMQNode,
  startNode,
} from "../scripts/lib/rabbitmq-node.ts";
import { untilTestEnds, WAITING_FOR_MESSAGES, withOwnNode } from "./lib/lesson-test.ts";
import { runtimesToTest } from "./lib/runtimes.ts";

withOwnNode("TLS", (programs) => {
  const { path: folder, remove } = temporaryFolder("tls-test-");
  let port: number;
  let node: RabbitMQNode | undefined;

  beforeAll(async () => {
    port = await freePort();
    makeCertificates(folder);
    node = await startNode({
      programs,
      settings: [
        `listeners.ssl.1 = 127.0.0.1:${port}`,
        `ssl_options.certfile = ${join(folder, "broker.pem")}`,
        `ssl_options.keyfile = ${join(folder, "broker.key")}`,
      ],
    });
  });
  afterAll(async () => {
    await node?.stop();
    remove();
  });

  for (const runtime of runtimesToTest) {
    const run = (script: string, host: string, env: Record<string, string> = {}) =>
      untilTestEnds(runScript(runtime, script, [], {
        env: { AMQP_URL: `amqps://guest:guest@${host}:${port}`, ...env },
      }));
    const trusting = () => ({ NODE_EXTRA_CA_CERTS: join(folder, "authority.pem") });

    test(`it connects with NODE_EXTRA_CA_CERTS, on ${runtime}`, async () => {
      const receive = run("01-hello/receive.ts", "localhost", trusting());
      await receive.prints(WAITING_FOR_MESSAGES);
      await run("01-hello/send.ts", "localhost", trusting()).exits(0);
      await receive.prints("[x] Received 'Hello World!'");
      expect(await receive.stop()).toBe(0);
      expect(receive.stderr).toEqual([]);
    });

    test(`it rejects an unknown authority, on ${runtime}`, async () => {
      for (const script of ["01-hello/send.ts", "01-hello/receive.ts"]) {
        const program = run(script, "localhost");
        await program.exits(1);
        expect(program.stdout).toEqual([]);
        expect(program.stderr).toEqual([
          expect.stringMatching(
            /^\[!\] The certificate of amqps:\/\/guest:\*\*\*@localhost:\d+ is not trusted: unable to verify/,
          ),
          "[!] If your own certificate authority issued it, set NODE_EXTRA_CA_CERTS to its certificate.",
        ]);
      }
    });

    test(`it rejects a certificate for another host, on ${runtime}`, async () => {
      const program = run("01-hello/send.ts", "127.0.0.1", trusting());
      await program.exits(1);
      expect(program.stderr).toEqual([
        expect.stringMatching(
          /^\[!\] The certificate of amqps:.* is not trusted: Hostname\/IP does not/,
        ),
        "[!] It must be valid today, and for the host name in AMQP_URL.",
      ]);
    });
  }
});

/** Creates an authority, and its certificate for a broker on localhost. https://www.rabbitmq.com/docs/ssl */
function makeCertificates(folder: string): void {
  const openssl = (command: string) =>
    execFileSync("openssl", command.split(" "), { cwd: folder, stdio: "pipe" });
  const newKey = "-newkey rsa:2048 -nodes";
  openssl(
    `req -x509 ${newKey} -subj /CN=authority -days 2 -keyout authority.key -out authority.pem`,
  );
  openssl(`req ${newKey} -subj /CN=broker -keyout broker.key -out request.pem`);
  writeFileSync(
    join(folder, "extensions"),
    "subjectAltName = DNS:localhost\nbasicConstraints = CA:FALSE\n",
  );
  const signed =
    "-CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile extensions";
  openssl(`x509 -req -in request.pem ${signed} -out broker.pem`);
}
