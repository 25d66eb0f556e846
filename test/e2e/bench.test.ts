import { execa } from "execa";
import { expect, test } from "vitest";
import { ROOT } from "../../tools/paths.js";

test.skipIf(process.platform !== "linux")(
  "npm run bench prints the cost of a request for every contestant (Linux only: it reads /proc)",
  async () => {
    const args = ["run", "--silent", "bench", "--", "--rounds", "1", "--json"];
    const { stdout } = await execa("npm", args, { cwd: ROOT });
    const { figures } = JSON.parse(stdout) as { figures: { name: string; min: number }[] };
    expect(figures.map(({ name }) => name)).toHaveLength(5);
    for (const { name, min } of figures) {
      expect(min, name).toBeGreaterThan(0);
      expect(min, name).toBeLessThan(10_000);
    }
  },
);

test("npm run bench says what is wrong with its arguments in one line", async () => {
  const args = ["run", "--silent", "bench", "--", "--rounds", "0"];
  const { exitCode, stderr } = await execa("npm", args, { cwd: ROOT, reject: false });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^evenkeel: --rounds must be an integer of at least 1, got "0"$/m);
});
