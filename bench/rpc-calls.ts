/** Many calls of lesson 6's client, so many of them under way at once; and what is left in memory afterwards. */
import process from "node:process";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { withConfirmChannel } from "../shared/connection.ts";

const [calls = 0, underWay = 0] = process.argv.slice(2).map(Number);

await withConfirmChannel(async (channel) => {
  const fibonacciRpc = await FibonacciRpcClient.open(channel);
  let started = 0;
  async function callOneAfterTheOther(): Promise<void> {
    while (started++ < calls) await fibonacciRpc.call(30);
  }
  const begin = performance.now();
  await Promise.all(Array.from({ length: underWay }, callOneAfterTheOther));
  console.log(`${calls} calls in ${performance.now() - begin} ms`);
});
