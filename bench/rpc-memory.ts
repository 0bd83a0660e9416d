/** What 20,000 calls leave in memory. Needs `node --expose-gc`, so that what is measured is what nobody can reach any more. */
import process from "node:process";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { withConfirmChannel } from "../shared/connection.ts";

await withConfirmChannel(async (channel) => {
  const fibonacciRpc = await FibonacciRpcClient.open(channel);
  async function call(times: number): Promise<number> {
    let started = 0;
    await Promise.all(Array.from({ length: 100 }, async () => {
      while (started++ < times) await fibonacciRpc.call(30);
    }));
    const collectGarbage: unknown = Reflect.get(globalThis, "gc");
    if (typeof collectGarbage === "function") collectGarbage();
    return process.memoryUsage().heapUsed / 1e6;
  }
  const before = await call(2_000); // Enough to have compiled what there is to compile.
  const after = await call(20_000);
  console.log(`${before} ${after} ${fibonacciRpc.underWay}`);
});
