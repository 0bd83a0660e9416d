/**
 * Lesson 6, the client: asks the server for Fibonacci numbers, several at once.
 *     npx tsx 06-rpc/client.ts 10 20 300
 */
import process from "node:process";
import yargs from "yargs";
import { connect } from "../shared/connection.ts";
import { FibonacciRpcClient } from "./fibonacci-rpc-client.ts";

const { _: words, timeout } = yargs(process.argv.slice(2)).strictOptions()
  .parserConfiguration({ "parse-positional-numbers": false })
  .usage("Usage: npx tsx 06-rpc/client.ts [n..]\n\nAsks for Fibonacci numbers.")
  .example("npx tsx 06-rpc/client.ts 10 20 300", "asks for three at once")
  .number("timeout").default("timeout", 10).describe("timeout", "Seconds to wait")
  .check(({ timeout: s }) => (s > 0 && s <= 86_400) || "--timeout takes up to 86400")
  .check(({ _ }) => _.every((n) => /^\d+$/.test(`${n}`)) || "n is 0 or more, in digits")
  .requiresArg("timeout").parseSync();
const numbers = words.length > 0 ? words.map(BigInt) : [30n];

const connection = await connect();
const channel = await connection.createConfirmChannel();
const fibonacciRpc = await FibonacciRpcClient.open(channel);

const answers = await Promise.allSettled(numbers.map((n) => {
  console.log(`[x] Requesting fib(${n})`);
  return fibonacciRpc.call(n, timeout);
}));
for (const [i, answer] of answers.entries()) {
  if (answer.status === "fulfilled") {
    console.log(`[.] Got ${answer.value}`);
  } else {
    console.error(`[!] fib(${numbers[i]}): ${answer.reason.message}`);
    process.exitCode = 1;
  }
}
await connection.close();
