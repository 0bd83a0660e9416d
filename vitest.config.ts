import { defineConfig } from "vitest/config";
import { workers } from "./test/lib/ports.ts";

export default defineConfig({
  test: {
    include: ["test/*.test.ts"],
    globalSetup: "test/lib/global-setup.ts",
    maxWorkers: workers,
    testTimeout: 180_000,
    hookTimeout: 150_000,
    expect: { poll: { timeout: 10_000 } },
    chaiConfig: { truncateThreshold: 0 }, // A failure shows whole values.
    onStackTrace: (_, { file }) => !file.endsWith("/program.ts"), // And the line of the test.
  },
});
