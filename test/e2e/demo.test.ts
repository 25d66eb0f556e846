import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { expect, test } from "vitest";
import { ROOT } from "../../tools/paths.js";

interface Phase {
  evenkeel: boolean;
  requests: number[];
  reconnects: number;
  failed: number;
  seconds_until_even: number | null;
}

test.each([
  ["HTTP/1.1", []],
  ["HTTP/2", ["--http2"]],
])("npm start shows problem and cure for %s", async (protocol, flags) => {
  const { stdout } = await execa("npm", ["start", "--silent", "--", "--json", ...flags], {
    cwd: ROOT,
  });
  const figures = JSON.parse(stdout) as { protocol: string; phases: [Phase, Phase] };
  expect(figures.protocol).toBe(protocol);
  const [without, cure] = figures.phases;
  expect(without).toMatchObject({
    evenkeel: false,
    reconnects: 0,
    failed: 0,
    seconds_until_even: null,
  });
  expect(without.requests.slice(1)).toEqual([0, 0]);
  expect(cure).toMatchObject({ evenkeel: true, failed: 0 });
  expect(cure.reconnects).toBeGreaterThan(20);
  expect(cure.seconds_until_even).not.toBe(null);
  const total = cure.requests.reduce((sum, count) => sum + count, 0);
  for (const count of cure.requests) expect(count / total).toBeGreaterThan(0.15);
});

test("npm start shows progress, a table and bars", async () => {
  const { stdout } = await execa("npm", ["start", "--silent"], {
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  expect(stdout).toMatch(/^without evenkeel +1\.\d s {2}Pod 1 █+$/m);
  expect(stdout).toMatch(/^with evenkeel +\d\.\d s {2}Pod 1 █\S* +Pod 2 █\S* +Pod 3 █/m);
  expect(stdout).toMatch(/Pod 3 █+\S* +\d+ % +\d+ requests/);
  expect(stdout).toMatch(/│ failed requests +│ +0 │ +0 │/);
  expect(stdout).toMatch(/│ load even after +│ +never │ +\d\.\d s │/);
});

test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
  "%s ends npm start and leaves no process behind",
  async (signal) => {
    const demo = execa("npm", ["start", "--silent"], { cwd: ROOT, detached: true, reject: false });
    const group = demo.pid!;
    let output = "";
    demo.stdout.on("data", (data: Buffer) => (output += data.toString()));
    await expect.poll(() => output, { timeout: 30_000 }).toMatch(/without evenkeel +2\.\d s/);
    expect((await membersOf(group)).join("\n")).toMatch(/envoy/);
    process.kill(-group, signal);
    await demo;
    await expect.poll(() => membersOf(group), { timeout: 10_000 }).toEqual([]);
  },
);

/** Command lines of a process group. */
async function membersOf(group: number): Promise<string[]> {
  await sleep(100);
  const { stdout } = await execa("ps", ["-eo", "pgid=,stat=,args="]);
  return stdout
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith(`${group} `) && !/^\d+ Z/.test(line));
}
