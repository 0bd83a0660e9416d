import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/*.test.ts"],
    globalSetup: "test/broker.ts",
    testTimeout: 60_000,
    hookTimeout: 150_000,
  },
});
