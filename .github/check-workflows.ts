/** Checks the keys and expressions of the workflows, as GitHub's editor does. */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";

const folder = new URL("workflows/", import.meta.url);
for (const name of readdirSync(folder)) {
  const text = readFileSync(new URL(name, folder), "utf8");
  const document = TextDocument.create(`${folder}${name}`, "yaml", 0, text);
  for (const { range, message } of await validate(document)) {
    console.error(`[!] .github/workflows/${name}:${range.start.line + 1}: ${message}`);
    process.exitCode = 1;
  }
}
