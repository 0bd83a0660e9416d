/** Has a program and a temporary folder, both of which must not outlive it. */
import { temporaryFolder } from "../../scripts/lib/clean-up.ts";
import { Program } from "../../scripts/lib/program.ts";

const { path } = temporaryFolder("leaves-");
new Program(["sleep", "1000"], { env: { FOLDER: path } });
console.log("started");
