/** Makes calls with lesson 6's client. Arguments: how many, and how many are outstanding at once. */
import process from "node:process";
import { FibonacciRpcClient } from "../06-rpc/fibonacci-rpc-client.ts";
import { connect } from "../shared/connection.ts";

const [calls = 0, outstanding = 0] = process.argv.slice(2).map(Number);

const connection = await connect();
const fibonacciRpc = await FibonacciRpcClient.open(
  await connection.createConfirmChannel(),
);
let started = 0;
async function callOneAfterTheOther(): Promise<void> {
  while (started++ < calls) await fibonacciRpc.call(30);
}
const begin = performance.now();
await Promise.all(Array.from({ length: outstanding }, callOneAfterTheOther));
console.log(`${calls} calls in ${performance.now() - begin} ms`);
await connection.close();
