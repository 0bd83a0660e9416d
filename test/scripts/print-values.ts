/** What a reader who debugs prints: several values in one call. */
import { connect } from "../../shared/connection.ts";

const connection = await connect();
console.log("a", { b: 1 }, "%d", 3);
await connection.close();
