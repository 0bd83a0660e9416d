/** The order system, started as its page does: with environment variables, as processes. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { describe, expect, vi } from "vitest";
import { temporaryFolder } from "../../scripts/lib/clean-up.ts";
import { Program, root, type Runtime, runtimes } from "../../scripts/lib/program.ts";
import { freePort } from "./ports.ts";
import { onChannel } from "./broker.ts";
import { kill, type LessonTest, test as lessonTest } from "./lesson-test.ts";
import { runtimesToTest } from "./runtimes.ts";

/**
 * Some promises take minutes to see whole, such as a gateway that is away for one. With
 * LONG=1 in the environment, these tests take as long as the promise says; without, they
 * do the same in some seconds. To run them: LONG=1 npm test -- orders
 */
export const isLong = Boolean(process.env.LONG);

/** Node 20 has no SQLite. */
const nodeHasSQLite =
  spawnSync("node", ["--eval", 'require("node:sqlite")']).status === 0;
export const nodeWithoutSQLite = !nodeHasSQLite;

/** Of the runtimes to test, those that bring SQLite; Deno, if none does. */
const withSQLite = runtimesToTest.filter((it) =>
  nodeHasSQLite || it === "deno" || it === "bun"
);
const runtimesOfOrders: Runtime[] = withSQLite.length > 0 ? withSQLite : ["deno"];
let turn = 0;

/** How long a program may take to start on a busy machine, in seconds. */
export const STARTING = 60;

/** The queues that every program declares. */
export const QUEUES = ["sms", "coupon"].flatMap((
  it,
) => [it, `${it}.retry`, `${it}.dead`]);

/** What a customer sends. */
export interface Order {
  item: string;
  quantity: number;
  phone: string;
}

/** The orders of customers 1 to `count`, each with a number of its own, no bad one. */
export const ordersOf = (count: number, prefix = ""): Order[] =>
  Array.from({ length: count }, (_, i) => ({
    item: "book",
    quantity: 1,
    phone: `+49 30 ${prefix}${i + 1}-1`, // The gateway refuses what ends in 000.
  }));

/** The numbers in orders, as {@linkcode sentBy} returns them. */
export const phonesIn = (orders: Order[]) => orders.map(({ phone }) => phone).sort();

/** The command that runs a program of orders/ on a runtime. */
export function commandOf(runtime: Runtime, script: string, folder = root): string[] {
  // SQLite writes files.
  const permission = runtime === "deno" ? ["--allow-write"] : [];
  return [...runtimes[runtime].command, ...permission, join(folder, "orders", script)];
}

/** What the service has answered, and after how many milliseconds. */
export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
  time: number;
}

/** A running order service. */
export class Service {
  readonly program: Program;
  /** Where it takes orders, as it says itself. */
  readonly url: string;

  constructor(program: Program) {
    this.program = program;
    this.url = `${program.stdout.at(-1)?.split(" ").at(-1)}/orders`;
  }

  /** Sends an order, or any other text, perhaps with an Idempotency-Key. */
  async order(order: unknown, key?: string): Promise<Answer> {
    const start = performance.now();
    const response = await fetch(this.url, {
      method: "POST",
      body: typeof order === "string" ? order : JSON.stringify(order),
      headers: {
        // A server closes an idle connection after 5 s, perhaps just before its reuse.
        connection: "close",
        ...(key === undefined ? {} : { "idempotency-key": key }),
      },
    });
    const body: Record<string, unknown> = JSON.parse(await response.text());
    const time = performance.now() - start;
    return { status: response.status, headers: response.headers, body, time };
  }

  /** Sends orders, which must all be accepted. Returns the longest time, in milliseconds. */
  async sells(orders: Order[]): Promise<number> {
    let longest = 0;
    for (const order of orders) {
      const { status, time, body } = await this.order(order);
      expect({ status, body }).toMatchObject({ status: 201 });
      longest = Math.max(longest, time);
    }
    return longest;
  }
}

/** A request that a stand-in for the gateway has got. */
export interface Attempt {
  phone: string;
  text: string;
  key: string;
  /** When it came, in milliseconds. */
  time: number;
}

/** What a stand-in does: answers with a status, closes the connection, or does not answer. */
export type Behaviour = number | "close" | "hang";

/** A server in the place of the SMS provider. */
export interface StandIn {
  /** All requests so far. */
  attempts: Attempt[];
  /** The numbers that got an SMS: those of requests that were answered with 200. */
  sent: string[];
  /** Decides on a request: the how-manieth it is for its number, from 1. */
  behave: (attempt: Attempt, count: number) => Behaviour | Promise<Behaviour>;
}

/** The programs, the databases and the gateway of one test. */
export class OrderSystem {
  /** The folder of the databases. */
  readonly data: string;
  /** What every program finds in its environment. A test may change it. */
  readonly env: Record<string, string>;
  readonly #runtime: Runtime;
  readonly #endings: (() => unknown)[] = [];

  constructor(runtime: Runtime, url: string) {
    const folder = temporaryFolder("orders-");
    this.#endings.push(folder.remove);
    this.#runtime = runtime;
    this.data = folder.path;
    this.env = { AMQP_URL: url, DATA: this.data };
  }

  /** Starts a program of orders/. */
  start(script: string, env: Record<string, string> = {}, ...args: string[]): Program {
    return this.run([...this.commandOf(script), ...args], env);
  }

  /** The command that runs a program of orders/, in this or another copy of the folder. */
  commandOf(script: string, folder = root): string[] {
    return commandOf(this.#runtime, script, folder);
  }

  /** Runs a command in the environment of the programs. It is killed after the test. */
  run(command: string[], env: Record<string, string> = {}): Program {
    const program = new Program(command, { env: { ...this.env, ...env } });
    this.#endings.push(() => kill(program));
    return program;
  }

  /** Starts a service, and waits until it takes orders. */
  async service(env: Record<string, string> = {}): Promise<Service> {
    const PORT = env.PORT ?? String(await freePort());
    const program = this.start("order-service.ts", { ...env, PORT });
    await program.prints(`[*] Listening on http://localhost:${PORT}`, 1, STARTING);
    return new Service(program);
  }

  /** Starts sms.ts or coupon.ts, and waits until it is ready. */
  async subscriber(name: "sms" | "coupon", env: Record<string, string> = {}) {
    const program = this.start(`${name}.ts`, env);
    await program.prints(READY, 1, STARTING);
    return program;
  }

  /** Starts gateway.ts, which the programs that are started afterwards use. */
  async gateway(PORT?: string): Promise<Program> {
    PORT ??= String(await freePort());
    this.env.GATEWAY = `http://localhost:${PORT}/sms`;
    const program = this.start("gateway.ts", { PORT });
    await program.prints("[*] The gateway is ready", 1, STARTING);
    return program;
  }

  /** Starts a server in the place of the gateway, to answer as no test can make that do. */
  async standIn(behave: StandIn["behave"] = () => 200): Promise<StandIn> {
    const it: StandIn = { attempts: [], sent: [], behave };
    const server = createServer(async (request, response) => {
      const time = performance.now();
      const { phone, text: words } = JSON.parse(await text(request));
      const key = String(request.headers["idempotency-key"]);
      const attempt = { phone, text: words, key, time };
      it.attempts.push(attempt);
      const count = it.attempts.filter((one) => one.key === key).length;
      const behaviour = await it.behave(attempt, count);
      if (behaviour === "hang") return;
      if (behaviour === "close") return void request.socket.destroy();
      if (behaviour === 200) it.sent.push(phone);
      response.writeHead(behaviour).end("as the test says");
    });
    const port = await freePort();
    await once(server.listen(port, "127.0.0.1"), "listening");
    this.env.GATEWAY = `http://127.0.0.1:${port}/sms`;
    this.#endings.push(() => {
      server.close();
      server.closeAllConnections();
    });
    return it;
  }

  /** Runs SQL on one of the databases, and returns the rows. */
  async sql(file: "orders.db" | "coupons.db", statement: string) {
    // In a process of Deno, because Node 20 has no SQLite.
    const program = this.#sqlite(file, `database.prepare(${quote(statement)}).all()`);
    await program.exits(0, STARTING);
    const rows: Record<string, unknown>[] = JSON.parse(program.stdout.join(""));
    return rows;
  }

  /** Locks a database for writing, as a backup may. Returns how to release it. */
  async lock(file: "orders.db" | "coupons.db"): Promise<() => Promise<void>> {
    const work =
      `database.exec("BEGIN IMMEDIATE"), setInterval(() => {}, 1000), "locked"`;
    const program = this.#sqlite(file, work);
    await program.prints('"locked"', 1, STARTING);
    return () => kill(program);
  }

  #sqlite(file: string, work: string): Program {
    const code = `import { DatabaseSync } from "node:sqlite";
      const database = new DatabaseSync(${quote(join(this.data, file))});
      database.exec("PRAGMA busy_timeout = 10000");
      console.log(JSON.stringify((${work})));`;
    return this.run([runtimes.deno.command[0] ?? "deno", "eval", code]);
  }

  /** Ends all that was started, and removes the databases. */
  async end(): Promise<void> {
    for (const end of this.#endings.reverse()) await end();
  }
}

const quote = JSON.stringify;

/** The line that a subscriber prints when it is ready. */
export const READY = /^\[\*\] Waiting for messages in (sms|coupon)\. /;

/** Adds the order system to a test of lessons, on one runtime or on each in turn. */
export function withOrders(base: LessonTest, runtime?: Runtime) {
  return base.extend<{ system: OrderSystem }>({
    system: async ({ virtualHost }, use) => {
      const next = runtimesOfOrders[turn++ % runtimesOfOrders.length] ?? "deno";
      const system = new OrderSystem(runtime ?? next, virtualHost);
      await use(system);
      await system.end();
    },
  });
}

/** Vitest's test with a virtual host and the order system, on each runtime in turn. */
export const test = withOrders(lessonTest);
export type OrderTest = typeof test;

/** Defines the same tests for every runtime that has SQLite. */
export function onEachRuntime(name: string, define: (test: OrderTest) => void): void {
  for (const runtime of runtimesOfOrders) {
    describe(`${name}, on ${runtime}`, () => define(withOrders(lessonTest, runtime)));
  }
}

/** The numbers to which gateway.ts has sent an SMS: twice in here is sent twice. */
export const sentBy = (gateway: Program) => matchesIn(gateway, /^\[x\] SMS to '(.*?)'/);

/** The numbers that were given a coupon, of which coupon.ts has said so. */
export const couponsOf = (program: Program) =>
  matchesIn(program, /^\[x\] Coupon for '(.*?)'$/);

function matchesIn({ stdout }: Program, pattern: RegExp): string[] {
  return stdout.flatMap((line) => pattern.exec(line)?.[1] ?? []).sort();
}

/** Starts everything but the service, and returns a function that waits until all are told. */
export async function startTelling(system: OrderSystem) {
  const gateway = await system.gateway();
  await system.subscriber("sms");
  const coupon = await system.subscriber("coupon");
  return async (all: Order[], seconds = 30) => {
    await becomes(() => sentBy(gateway), phonesIn(all), seconds);
    await becomes(() => couponsOf(coupon), phonesIn(all), seconds);
    await becomes(() => system.sql("orders.db", "SELECT * FROM outbox"), []);
  };
}

/** Counts the messages and consumers of a queue. Undefined: there is no such queue yet. */
export function stateOf(url: string, queue: string) {
  const state = onChannel(url, async (channel) => {
    channel.on("error", () => {}); // Otherwise it would be thrown.
    return await channel.checkQueue(queue);
  });
  return state.catch(() => undefined);
}

/** Counts the ready messages in a queue. Undefined: there is no such queue yet. */
export const readyIn = async (url: string, queue: string) =>
  (await stateOf(url, queue))?.messageCount;

/** Waits until a value is as expected. Fails with the difference after some seconds. */
export function becomes<T>(
  value: () => T | Promise<T>,
  expected: unknown,
  seconds = 15,
): Promise<void> {
  const options = { timeout: seconds * 1000, interval: 50 };
  return vi.waitFor(async () => expect(await value()).toEqual(expected), options);
}
