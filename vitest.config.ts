import { defineConfig } from "vitest/config";

/** Envoy ends with the thread that started it, so tests run in processes, not in threads. */
const pool = "forks";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", pool, include: ["test/unit/**/*.test.ts"] } },
      { test: { name: "host", pool, include: ["test/host/**/*.test.ts"] } },
      {
        test: {
          name: "e2e",
          pool,
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/e2e/support/setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
