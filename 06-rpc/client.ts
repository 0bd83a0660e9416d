/**
 * Lesson 6, the client: asks the server for Fibonacci numbers. Several are asked for at once, over one callback queue.
 *
 *     npx tsx 06-rpc/client.ts 30
 *     npx tsx 06-rpc/client.ts 10 20 300
 */
import process from "node:process";
import { commandLine, refuse } from "../shared/command-line.ts";
import { withConfirmChannel } from "../shared/connection.ts";
import { FibonacciRpcClient } from "./fibonacci-rpc-client.ts";

const { words, timeout } = await commandLine({
  usage: "tsx 06-rpc/client.ts [n..] [--timeout S]",
  example: ["tsx 06-rpc/client.ts 10 20 300", "asks for three numbers at once"],
  describe: { timeout: "Seconds to wait for an answer" },
}, { timeout: 10 });
if (!words.every((n) => /^\d+$/.test(n))) refuse("n must be a whole number from 0");
if (!(timeout > 0 && timeout <= 86_400)) refuse("--timeout takes seconds, up to a day");
const numbers = words.length > 0 ? words.map(BigInt) : [30n];

await withConfirmChannel(async (channel) => {
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
});
