/**
 * Lesson 6, the client: requests Fibonacci numbers from the server, several at once.
 *     npx tsx 06-rpc/client.ts 10 20 300
 */
import process from "node:process";
import yargs from "yargs";
import { connect } from "../shared/connection.ts";
import { FibonacciRpcClient } from "./fibonacci-rpc-client.ts";

const { _: words, timeout } = yargs(process.argv.slice(2)).locale("en").strictOptions()
  .usage("Usage: npx tsx 06-rpc/client.ts [n..] [--timeout 10]").requiresArg("timeout")
  .option("timeout", { type: "number", default: 10, describe: "Seconds to wait" })
  .check(({ timeout: s }) => (s >= 1 && s <= 86_400) || "--timeout must be 1-86400")
  .check(({ _ }) => _.every((n) => /^\d+$/.test(`${n}`)) || "n must be 0, 1, 2, …")
  .parserConfiguration({ "parse-positional-numbers": false }).parseSync();
const numbers = words.length > 0 ? words.map(BigInt) : [30n];

const connection = await connect();
const channel = await connection.createConfirmChannel();
const fibonacciRpc = new FibonacciRpcClient(channel);

// All calls are outstanding at the same time, and may be answered in any order.
const replies = await Promise.allSettled(numbers.map((n) => {
  console.log(`[x] Requesting fib(${n})`);
  return fibonacciRpc.call(n, timeout);
}));
for (const [i, reply] of replies.entries()) {
  if (reply.status === "fulfilled") {
    console.log(`[.] Got ${reply.value}`);
  } else {
    console.error(`[!] fib(${numbers[i]}): ${reply.reason.message}`);
    process.exitCode = 1;
  }
}
await connection.close();
