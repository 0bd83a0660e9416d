/**
 * Lesson 2, the producer: sends tasks. Each dot in a task stands for a second of work.
 *     npx tsx 02-work-queues/new-task.ts a hard task.. --count 1000
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import yargs from "yargs";
import { connect } from "../shared/connection.ts";
import { quoted } from "../shared/text.ts";

// Without help(false), yargs would take the word "help" in a message for --help.
const cli = yargs(process.argv.slice(2)).locale("en").strictOptions().help(false)
  .parserConfiguration({ "parse-positional-numbers": false }).requiresArg("count")
  .usage("Usage: npx tsx 02-work-queues/new-task.ts [message..] [--count 1]")
  .options({ count: { type: "number", default: 1 }, help: { type: "boolean" } })
  .check(({ count: n }) => (Number.isInteger(n) && n > 0) || "--count must be 1, 2, …");
const { _: words, count, help } = cli.parseSync();
if (help) console.log(await cli.getHelp());
if (help) process.exit();
const message = words.join(" ") || "Hello World!";

const connection = await connect();
const channel = await connection.createConfirmChannel();
// Durable: the queue survives a restart of the broker.
const settings = { durable: true, arguments: { "x-queue-type": "quorum" } };
await channel.assertQueue("task_queue", settings);
// Persistent: the message survives too. (In a quorum queue, every message does.)
const options = { persistent: true };
for (let sent = 1; sent <= count; sent++) {
  channel.sendToQueue("task_queue", Buffer.from(message), options, (error) => {
    if (error === null) console.log(`[x] Sent ${quoted(message)}`);
  });
  // Waiting for each confirm would be slow; never waiting could exhaust memory.
  if (sent % 500 === 0) await channel.waitForConfirms();
}
await channel.waitForConfirms();
await connection.close();
