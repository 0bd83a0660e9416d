/** Settings of orders/ that are wrong, a broker that refuses, and a Node without SQLite. */
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, inject } from "vitest";
import { callManagement } from "../scripts/lib/management.ts";
import type { Program } from "../scripts/lib/program.ts";
import { root } from "../scripts/lib/program.ts";
import { freePort } from "./lib/ports.ts";
import { onChannel, vhostOf } from "./lib/broker.ts";
import * as orders from "./lib/orders.ts";
import { becomes, ordersOf, phonesIn, sentBy, test } from "./lib/orders.ts";

/** Every program that connects to RabbitMQ, with its arguments. */
const SUBSCRIBERS = [["sms.ts"], ["coupon.ts"], ["replay.ts", "sms"]] as const;
const CONNECTED = [["order-service.ts"], ...SUBSCRIBERS] as const;

/** Waits until a program has ended with the exit code 1 and one line, without a password. */
async function endsWithOneLine(program: Program, line: RegExp): Promise<void> {
  await program.exits(1, orders.STARTING);
  expect(program.stderr).toEqual([expect.stringMatching(line)]);
  expect(program.stderr[0]).toMatch(/^\[!\] /);
  expect(program.stderr[0]).not.toContain("secret");
  expect(program.stdout).toEqual([]);
}

describe.concurrent("a setting", () => {
  test("AMQP_URL that is no address, or several: every program ends with one line, which shows no password", async ({ system }) => {
    const broken = "amqp://me:secret#1@127.0.0.1";
    const others = [
      "nonsense",
      "http://me:secret@127.0.0.1",
      "amqp://me:secret@127.0.0.1,amqp://127.0.0.1:1",
      "amqp://me:secret@127.0.0.1:5672,127.0.0.1:5673",
      "amqp://me:100%secret@127.0.0.1",
    ];
    const cases = [
      ...CONNECTED.map((words) => ({ words, AMQP_URL: broken })),
      ...others.map((AMQP_URL) => ({ words: ["sms.ts"] as const, AMQP_URL })),
    ];
    await Promise.all(cases.map(async ({ words: [script, ...args], AMQP_URL }) => {
      const PORT = String(await freePort());
      const program = system.start(script, { AMQP_URL, PORT }, ...args);
      await endsWithOneLine(program, /AMQP_URL/);
    }));
  });

  test(".env one level above the folder gives AMQP_URL; if it gives none, every program ends with one line", async ({ system, virtualHost }) => {
    // In a copy of the folder, as in another project.
    const copy = join(system.data, "project");
    mkdirSync(copy);
    cpSync(join(root, "orders"), join(copy, "orders"), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    const project = { type: "module", dependencies: { amqplib: "2" } };
    writeFileSync(join(copy, "package.json"), JSON.stringify(project));
    const PORT = String(await freePort());
    function start([script = "", ...args]: readonly string[]): Program {
      const unset = ["env", "-u", "AMQP_URL", "-u", "DATA"];
      return system.run([...unset, ...system.commandOf(script, copy), ...args], {
        PORT,
      });
    }

    for (const text of ["AMQP_URI=amqp://me:secret@127.0.0.1\n", "", "AMQP_URL=\n"]) {
      writeFileSync(join(copy, ".env"), text);
      for (const words of text ? CONNECTED : SUBSCRIBERS) {
        await endsWithOneLine(start(words), /\.env\b/);
      }
    }
    writeFileSync(join(copy, ".env"), `AMQP_URL=${virtualHost}\n`);
    const sms = start(["sms.ts"]);
    await sms.prints(orders.READY);
    expect(await sms.stop()).toBe(0);
  });

  test("PORT that is none, or in use: service and gateway end with one line", async ({ system }) => {
    const PORT = String(await freePort());
    await system.service({ PORT });
    const ports = ["x", "-1", "70000", "8080x"];
    const cases = ports.map((port): [string, string] => ["order-service.ts", port]);
    cases.push(["gateway.ts", "x"]);
    const endings = cases.map(([script, port]) =>
      endsWithOneLine(system.start(script, { PORT: port }), /PORT/)
    );
    for (const script of ["order-service.ts", "gateway.ts"]) {
      const taken = new RegExp(`${PORT} \\(EADDRINUSE\\).* PORT `);
      endings.push(endsWithOneLine(system.start(script, { PORT }), taken));
    }
    await Promise.all(endings);
  });

  test("of another kind that cannot be used: one line, which names it", async ({ system }) => {
    const cases: [script: string, name: string, value: string][] = [
      ["sms.ts", "RETRY_DELAY", "-1"],
      ["coupon.ts", "RETRY_FOR", "20h"],
      ["sms.ts", "GATEWAY", "nonsense"],
      ["order-service.ts", "DATA", join(root, "package.json/data")],
      ["coupon.ts", "DATA", join(root, "package.json/data")],
    ];
    await Promise.all(cases.map(async ([script, name, value]) => {
      const env = { PORT: String(await freePort()), [name]: value };
      await endsWithOneLine(system.start(script, env), new RegExp(name));
    }));
  });

  test("of replay.ts, a subscriber that there is not, or none: one line with their names", async ({ system }) => {
    for (const args of [[], ["emails"], ["sms", "coupon"]]) {
      const program = system.start("replay.ts", {}, ...args);
      await endsWithOneLine(program, /sms.*coupon/);
    }
  });

  test("with nothing listening at AMQP_URL: replay.ts ends with one line; a subscriber says so once, and tries on", async ({ system }) => {
    const AMQP_URL = `amqp://me:secret@127.0.0.1:${await freePort()}`;
    await endsWithOneLine(
      system.start("replay.ts", { AMQP_URL }, "sms"),
      /ECONNREFUSED/,
    );
    const sms = system.start("sms.ts", { AMQP_URL });
    await sms.warns(/^\[!\] RabbitMQ is away: /);
    await sleep(2500);
    expect(sms.stderr.length).toBe(1);
    expect(await sms.stop()).toBe(0);
  });
});

/** A user of the broker, who may do nothing yet. */
async function createUser(password: string) {
  const name = `orders-${randomBytes(4).toString("hex")}`;
  const put = (path: string, body?: unknown) =>
    callManagement(inject("broker"), "PUT", path, body);
  await put(`users/${name}`, { password, tags: "" });
  return {
    name,
    setPassword: (to: string) => put(`users/${name}`, { password: to, tags: "" }),
    /** Lets the user do everything in a virtual host, or with "^$" nothing. */
    permit(url: string, pattern = ".*") {
      const all = { configure: pattern, write: pattern, read: pattern };
      return put(`permissions/${vhostOf(url)}/${name}`, all);
    },
    remove: () => callManagement(inject("broker"), "DELETE", `users/${name}`),
  };
}
type User = Awaited<ReturnType<typeof createUser>>;

type Refusal = [
  what: string,
  cause: (url: string, user: User) => Promise<unknown>,
  correct: (url: string, user: User) => Promise<unknown>,
];

const vhost = (method: string, url: string) =>
  callManagement(inject("broker"), method, `vhosts/${vhostOf(url)}`);

const refusals: Refusal[] = [
  [
    "a wrong password",
    (url, user) => user.permit(url).then(() => user.setPassword("another")),
    (_, user) => user.setPassword("secret"),
  ],
  [
    "a virtual host that is gone",
    (url) => vhost("DELETE", url),
    (url, user) => vhost("PUT", url).then(() => user.permit(url)),
  ],
  [
    "no permission to declare anything",
    (url, user) => user.permit(url, "^$"),
    (url, user) => user.permit(url),
  ],
  [
    "no permission in the virtual host",
    async () => {},
    (url, user) => user.permit(url),
  ],
  [
    "a queue with other settings",
    async (url, user) => {
      await user.permit(url);
      await onChannel(url, (channel) => channel.assertQueue("sms"));
    },
    (url) => onChannel(url, (channel) => channel.deleteQueue("sms")),
  ],
];

describe.concurrent("RabbitMQ refuses", () => {
  test.for(refusals)(
    "%s: the service sells, says it once and tries on; subscribers and replay.ts end with one line; no password is printed",
    async ([, cause, correct], { system, virtualHost }) => {
      const user = await createUser("secret");
      try {
        await cause(virtualHost, user);
        const url = new URL(virtualHost);
        url.username = user.name;
        url.password = "secret";
        system.env.AMQP_URL = url.href;
        const gateway = await system.gateway();
        const service = await system.service();
        await service.sells(ordersOf(3));
        const endings = SUBSCRIBERS.map(([script, ...args]) =>
          endsWithOneLine(system.start(script, {}, ...args), /./)
        );
        await Promise.all(endings);
        await service.program.warns(/^\[!\] /);
        await sleep(2500); // It tries again meanwhile.
        expect(service.program.stderr.length).toBe(1);
        expect(service.program.stderr[0]).not.toContain("secret");

        await correct(virtualHost, user);
        await system.subscriber("sms");
        await becomes(() => sentBy(gateway), phonesIn(ordersOf(3)));
      } finally {
        await user.remove();
      }
    },
  );
});

const has = orders.nodeWithoutSQLite ? "" : " (skipped: this Node has it)";
describe.skipIf(!orders.nodeWithoutSQLite)(`a Node without SQLite${has}`, () => {
  test("ends the programs that need it with one line, which gives a command to paste", async ({ system }) => {
    for (const script of ["order-service.ts", "coupon.ts"]) {
      const program = system.run(orders.commandOf("tsx", script));
      const command =
        `npx deno run --allow-net --allow-env --allow-read --allow-write orders/${script}`;
      await endsWithOneLine(program, new RegExp(`Node 22\\.13.* ${command}$`));
    }
  });
});
