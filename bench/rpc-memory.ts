/** Measures the memory that 20,000 calls leave behind. With `node --expose-gc`, it counts only what is in use. */
import process from "node:process";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { connect } from "../shared/connection.ts";

const connection = await connect();
const fibonacciRpc = await FibonacciRpcClient.open(
  await connection.createConfirmChannel(),
);
async function call(times: number): Promise<number> {
  let started = 0;
  await Promise.all(Array.from({ length: 100 }, async () => {
    while (started++ < times) await fibonacciRpc.call(30);
  }));
  const collectGarbage: unknown = Reflect.get(globalThis, "gc");
  if (typeof collectGarbage === "function") collectGarbage();
  return process.memoryUsage().heapUsed / 1e6;
}
const before = await call(2_000); // Enough for the code to be compiled.
const after = await call(20_000);
console.log(`${before} ${after} ${fibonacciRpc.outstanding}`);
await connection.close();
