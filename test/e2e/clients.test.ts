import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../tools/paths.js";
import { installPython } from "../../tools/python/install.js";
import { useGateway } from "./support/gateway.js";

const FOLDER = join(ROOT, "test/e2e/clients/real");
const REQUESTS = 600;

/** At a limit of 3 each client goes through about 200 connections. */
const LIMIT = 3;

interface RealClient {
  name: string;
  /** A command that shows whether the client's tool is here. */
  tool: [string, string];
  command: (url: string) => [string, ...string[]];
}

const CLIENTS: RealClient[] = [
  {
    name: "Go's net/http",
    tool: ["go", "version"],
    command: (url) => ["go", "run", join(FOLDER, "client.go"), url, String(REQUESTS)],
  },
  {
    name: "Java's HttpClient",
    tool: ["java", "-version"],
    command: (url) => ["java", join(FOLDER, "Client.java"), url, String(REQUESTS)],
  },
  {
    name: "Python's requests",
    tool: ["python3", "--version"],
    command: (url) => ["python3", join(FOLDER, "client.py"), "requests", url, String(REQUESTS)],
  },
  {
    name: "Python's httpx",
    tool: ["python3", "--version"],
    command: (url) => ["python3", join(FOLDER, "client.py"), "httpx", url, String(REQUESTS)],
  },
  {
    name: "curl",
    tool: ["curl", "--version"],
    // Prints the status of every answer that is not 200.
    command: (url) => [
      "sh",
      "-c",
      `{ curl -sS -o /dev/null -w '%{http_code}\\n' "${url}/?[1-300]"; curl -sS -o /dev/null -w '%{http_code}\\n' -d xxxxx "${url}/echo?[1-300]"; } 2>&1 | grep -v '^200$' || true`,
    ],
  },
];

describe.each([
  { door: "the helper", sample: "envoy/envoy.yaml" },
  { door: "the network filter", sample: "envoy/network.yaml" },
])("through hundreds of drains by $door", ({ sample }) => {
  const gateway = useGateway({
    sample,
    concurrency: 2,
    plugin: { max_requests_per_connection: LIMIT, jitter_percent: 0 },
  });

  test.for(CLIENTS)(
    "$name loses no GET and no POST",
    { timeout: 180_000 },
    async ({ tool, command }, { skip }) => {
      const [program, ...flags] = tool;
      const { exitCode } = await execa(program, flags, { reject: false });
      if (exitCode !== 0) {
        skip(`${program} is not installed`);
      }
      const before = await gateway().stat("drain_by_requests");
      const [file, ...args] = command(`http://127.0.0.1:${gateway().port}`);
      const { stdout } = await execa(file, args, {
        cwd: FOLDER,
        env: { PYTHONPATH: await installPython("clients.txt"), PYTHONDONTWRITEBYTECODE: "1" },
      });
      expect(stdout).toBe("");
      const drains = (await gateway().stat("drain_by_requests")) - before;
      expect(drains).toBeGreaterThanOrEqual(REQUESTS / LIMIT - 8);
      expect(drains).toBeLessThanOrEqual(REQUESTS / LIMIT);
      expect(await gateway().stat("drain_ignored")).toBe(0);
    },
  );
});
