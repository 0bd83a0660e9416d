/** Prints several values in one call, as a reader does to debug. */
import { connect } from "../../shared/connection.ts";

const connection = await connect();
console.log("a", { b: 1 }, "%d", 3);
await connection.close();
