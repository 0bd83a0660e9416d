import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/*.test.ts"],
    globalSetup: "test/lib/global-setup.ts",
    maxWorkers: 4, // Much of the time goes into waiting: for a broker to restart, for a task to be done.
    testTimeout: 120_000,
    hookTimeout: 150_000,
    env: { LC_ALL: "C" }, // yargs speaks the language of the person; the tests expect English.
  },
});
