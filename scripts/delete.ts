/**
 * Deletes a queue or an exchange from the broker that the lessons use, for when another program has left one of the same
 * name with other settings.
 *
 *     npx tsx scripts/delete.ts queue hello
 */
import { commandLine, refuse } from "../shared/command-line.ts";
import { quoted, withConfirmChannel } from "../shared/connection.ts";

const { words: [kind, name = "", ...more] } = await commandLine({
  usage: "tsx scripts/delete.ts <queue|exchange> <name>",
  example: ["tsx scripts/delete.ts queue hello", "deletes the queue hello, and the messages on it"],
});
if ((kind !== "queue" && kind !== "exchange") || !name || more.length > 0) {
  refuse("Say what to delete: queue or exchange, and its name");
}

await withConfirmChannel(async (channel) => {
  if (kind === "queue") await channel.deleteQueue(name);
  else await channel.deleteExchange(name);
  console.log(`The ${kind} ${quoted(name)} is gone.`);
});
