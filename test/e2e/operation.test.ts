import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { EnvoyProcess } from "../../tools/envoy/process.js";
import { connectionFields, header, Http1Connection } from "./clients/http1.js";
import { Load } from "./clients/load.js";
import { expectCalm, Gateway } from "./support/gateway.js";
import {
  configure,
  connectionManager,
  type Listener,
  pluginConfig,
  readSample,
  relocate,
} from "./support/sample.js";
import { Upstream } from "./support/upstream.js";

const GET = "GET / HTTP/1.1\r\nhost: service\r\n\r\n";

async function send(connection: Http1Connection, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await connection.send(GET, "GET").response(n);
}

describe("statistics", () => {
  test("show what evenkeel does, in the admin endpoint and in its Prometheus output", async () => {
    const gateway = await Gateway.start({
      concurrency: 2,
      plugin: { max_requests_per_connection: 3, jitter_percent: 0 },
    });
    for (let i = 0; i < 4; i++) {
      const connection = await Http1Connection.open(gateway.port);
      connection.send(GET.repeat(5), ...Array<string>(5).fill("GET"));
      await connection.transcribe(4);
    }
    const open = await Http1Connection.open(gateway.port);
    await send(open, 1, 2);
    const stats = await gateway.settledStats();
    const own = Object.entries(stats).filter(([name]) => name.startsWith("wasmcustom."));
    expect(Object.fromEntries(own)).toEqual({
      "wasmcustom.evenkeel_connections_tracked": 5,
      "wasmcustom.evenkeel_connections_evicted": 0,
      "wasmcustom.evenkeel_requests": 14,
      "wasmcustom.evenkeel_drain_by_requests": 4,
      "wasmcustom.evenkeel_shadow_drain_by_requests": 0,
      "wasmcustom.evenkeel_drain_ignored": 0,
      "wasmcustom.evenkeel_host_call_failed": 0,
    });
    expect(await gateway.envoy.get("/stats?filter=wasmcustom.evenkeel_")).toContain(
      "wasmcustom.evenkeel_drain_by_requests: 4\n",
    );
    const prometheus = await gateway.envoy.get("/stats/prometheus?filter=evenkeel_");
    expect(prometheus).toMatch(/^# TYPE evenkeel_drain_by_requests counter$/m);
    expect(prometheus).toMatch(/^evenkeel_drain_by_requests\{\} 4$/m);
    expect(prometheus).toMatch(/^# TYPE evenkeel_connections_tracked gauge$/m);
    open.close();
    await gateway.stop();
  });
});

test("shadow mode ends nothing and counts what it would have ended", async () => {
  const gateway = await Gateway.start({
    plugin: { max_requests_per_connection: 3, jitter_percent: 0, shadow_mode: true },
  });
  const connection = await Http1Connection.open(gateway.port);
  connection.send(GET.repeat(10), ...Array<string>(10).fill("GET"));
  const transcript = await connection.transcribe(10);
  expect(new Set(connectionFields(transcript).split(" "))).toEqual(new Set(["-"]));
  expect([transcript.responses.length, transcript.connection]).toEqual([10, "open"]);
  expect(await gateway.stat("shadow_drain_by_requests")).toBe(1);
  expect(await gateway.stat("drain_by_requests")).toBe(0);
  connection.close();
  await gateway.stop();
});

test("without the helper connections stay open, which is counted and said once", async () => {
  const gateway = await Gateway.start({
    concurrency: 3,
    plugin: { max_requests_per_connection: 3, jitter_percent: 0 },
    edit: (sample) => {
      const manager = connectionManager(sample.static_resources.listeners[0]!);
      manager.http_filters = manager.http_filters.filter(({ name }) => name !== "evenkeel-drain");
    },
    expectedLog: [/install the drain helper/],
  });
  for (let i = 0; i < 6; i++) {
    const connection = await Http1Connection.open(gateway.port);
    connection.send(GET.repeat(5), ...Array<string>(5).fill("GET"));
    const transcript = await connection.transcribe(5);
    expect([transcript.responses.length, transcript.connection]).toEqual([5, "open"]);
    connection.close();
  }
  expect(await gateway.stat("drain_by_requests")).toBe(6);
  expect(await gateway.stat("drain_ignored")).toBe(12);
  const warnings = gateway.envoy.log.split("\n").filter((line) => line.includes("drain helper"));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/\[warning\]\[wasm\].*directly after evenkeel in http_filters/);
  await gateway.stop();
});

test("a filter that answers before the helper postpones the end to the next request", async () => {
  const gateway = await Gateway.start({
    plugin: { max_requests_per_connection: 2, jitter_percent: 0 },
    edit: (sample) => {
      const manager = connectionManager(sample.static_resources.listeners[0]!);
      const answer = {
        name: "answers-before-the-helper",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
          default_source_code: {
            inline_string:
              'function envoy_on_request(h)\n if h:headers():get("x-stop") then h:respond({[":status"] = "403"}, "stop") end\nend\n',
          },
        },
      } as never;
      manager.http_filters.splice(1, 0, answer);
    },
    expectedLog: [/install the drain helper/],
  });
  const connection = await Http1Connection.open(gateway.port);
  await send(connection, 1, 1);
  const stop = "GET / HTTP/1.1\r\nhost: service\r\nx-stop: 1\r\n\r\n";
  expect((await connection.send(stop, "GET").response(2)).status).toBe(403);
  await send(connection, 3, 3);
  const transcript = await connection.transcribe(4);
  expect(connectionFields(transcript)).toBe("- - close");
  expect(transcript.connection).toBe("ended");
  expect(await gateway.stat("drain_by_requests")).toBe(1);
  await gateway.stop();
});

test("Lua behind evenkeel can read the mark, in the request and in the response phase", async () => {
  const gateway = await Gateway.start({
    plugin: { max_requests_per_connection: 2, jitter_percent: 0 },
    edit: (sample) => {
      const manager = connectionManager(sample.static_resources.listeners[0]!);
      const reader = {
        name: "reads-the-mark",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
          default_source_code: {
            inline_string: [
              'local function mark(h) return h:streamInfo():filterState():get("wasm.evenkeel.drain") or "none" end',
              'function envoy_on_request(h) h:headers():add("x-mark", mark(h)) end',
              'function envoy_on_response(h) h:headers():add("x-mark", mark(h)) end',
            ].join("\n"),
          },
        },
      } as never;
      manager.http_filters.splice(1, 0, reader);
    },
  });
  const connection = await Http1Connection.open(gateway.port);
  await send(connection, 1, 2);
  const { responses } = await connection.transcribe(3);
  expect(responses.map((response) => header(response, "x-mark"))).toEqual([["none"], ["requests"]]);
  const seen = gateway.upstream.requests.map(
    ({ rawHeaders }) => rawHeaders[rawHeaders.indexOf("x-mark") + 1],
  );
  expect(seen).toEqual(["none", "requests"]);
  await gateway.stop();
});

test("a table that is too small forgets connections and fails nothing", async () => {
  const gateway = await Gateway.start({
    plugin: { max_requests_per_connection: 4, jitter_percent: 0, max_tracked_connections: 2 },
  });
  const connections = await Promise.all(
    Array.from({ length: 5 }, () => Http1Connection.open(gateway.port)),
  );
  for (let n = 1; n <= 6; n++) {
    for (const connection of connections) {
      expect((await connection.send(GET, "GET").response(n)).body).toBe("hello\n");
    }
  }
  expect(await gateway.stat("connections_tracked")).toBe(2);
  expect(await gateway.stat("connections_evicted")).toBe(28);
  for (const connection of connections) connection.close();
  await gateway.stop();
});

test("jitter spreads the limits of connections evenly over the allowed range", async () => {
  const gateway = await Gateway.start({
    plugin: { max_requests_per_connection: 20, jitter_percent: 50 },
  });
  const connections = 330;
  const counts = new Map<number, number>();
  for (let i = 0; i < connections; i++) {
    const connection = await Http1Connection.open(gateway.port);
    connection.send(GET.repeat(21), ...Array<string>(21).fill("GET"));
    const transcript = await connection.transcribe(21);
    const limit = transcript.responses.length;
    expect(connectionFields(transcript)).toBe(
      [...Array<string>(limit - 1).fill("-"), "close"].join(" "),
    );
    counts.set(limit, (counts.get(limit) ?? 0) + 1);
  }
  const limits = [...counts.keys()].sort((a, b) => a - b);
  expect(limits).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  // 30 each; a fair draw stays within five standard deviations, 26, practically always.
  for (const count of counts.values()) expect(Math.abs(count - 30)).toBeLessThanOrEqual(26);
  await gateway.stop();
});

test("several workers under load lose no request through hundreds of drains", async () => {
  const gateway = await Gateway.start({
    concurrency: 4,
    plugin: { max_requests_per_connection: 5 },
  });
  const load = Load.start(gateway.port);
  await sleep(4000);
  const { requests, failures } = await load.stop();
  expect(failures).toEqual([]);
  expect(await gateway.stat("requests")).toBe(requests);
  expect(await gateway.stat("drain_by_requests")).toBeGreaterThanOrEqual(200);
  expect(await gateway.stat("drain_ignored")).toBe(0);
  await gateway.stop();
});

/** An Envoy whose listener, or whose evenkeel alone, comes from a file that it watches. */
class DynamicGateway {
  private constructor(
    readonly envoy: EnvoyProcess,
    private readonly upstream: Upstream,
    private readonly file: string,
    readonly port: number,
  ) {}

  static async start(
    resource: "listener" | "filter",
    plugin: Record<string, unknown>,
    concurrency = 1,
  ): Promise<DynamicGateway> {
    const upstream = await Upstream.start();
    let file = "";
    const envoy = await EnvoyProcess.start(
      async (folder) => {
        file = join(folder, "resource.json");
        const sample = relocate(readSample(), upstream.port);
        const listener = sample.static_resources.listeners[0]!;
        const source = {
          resource_api_version: "V3",
          path_config_source: { path: file, watched_directory: { path: folder } },
        };
        if (resource === "listener") {
          await writeResource(file, listenerResource(plugin));
          sample.static_resources.listeners = [];
          sample.dynamic_resources = { lds_config: source };
        } else {
          await writeResource(file, filterResource(plugin));
          connectionManager(listener).http_filters[0] = {
            name: "evenkeel",
            config_discovery: {
              config_source: source,
              type_urls: ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            },
          } as never;
        }
        sample.node = { id: "test", cluster: "test" };
        return sample;
      },
      { concurrency },
    );
    return new DynamicGateway(envoy, upstream, file, await envoy.port("ingress"));
  }

  /** Replaces the file in one step, as control planes do, and waits for Envoy's verdict. */
  async update(resource: Record<string, unknown>, counter: string): Promise<void> {
    const before = (await this.envoy.stats())[counter] ?? 0;
    await writeResource(this.file, resource);
    await expect
      .poll(async () => (await this.envoy.stats())[counter] ?? 0, { timeout: 20_000 })
      .toBeGreaterThan(before);
  }

  async stop(expectedLog: RegExp[] = []): Promise<void> {
    const { log } = this.envoy;
    expect(await this.envoy.stop()).toBe(0);
    await this.upstream.stop();
    expectCalm(log, expectedLog);
  }
}

async function writeResource(file: string, resource: Record<string, unknown>): Promise<void> {
  const response = { version_info: String(Date.now()), resources: [resource] };
  await writeFile(`${file}.new`, JSON.stringify(response));
  await rename(`${file}.new`, file);
}

function sampleListener(plugin: Record<string, unknown>): Listener {
  const listener = relocate(readSample(), 1).static_resources.listeners[0]!;
  configure(listener, plugin);
  return listener;
}

function listenerResource(plugin: Record<string, unknown>): Record<string, unknown> {
  return {
    "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
    ...sampleListener(plugin),
  };
}

function filterResource(plugin: Record<string, unknown>): Record<string, unknown> {
  return {
    "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
    name: "evenkeel",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
      config: pluginConfig(sampleListener(plugin)),
    },
  };
}

describe("while Envoy runs", () => {
  const RELOADS = "extension_config_discovery.http_filter.evenkeel.config_reload";
  /** What Envoy itself says of a plugin whose configuration is refused. */
  const REFUSED = [
    /Wasm VM failed Failed to configure base Wasm plugin$/,
    /Plugin evenkeel failed to load$/,
    /Plugin configured to fail closed failed to load$/,
    /Filesystem config update rejected: Unable to create Wasm plugin evenkeel$/,
  ];
  const REFUSALS = "extension_config_discovery.http_filter.evenkeel.config_fail";

  test("a changed configuration applies to open connections and keeps their counts", async () => {
    const gateway = await DynamicGateway.start("filter", {
      max_requests_per_connection: 100,
      jitter_percent: 0,
    });
    const connection = await Http1Connection.open(gateway.port);
    await send(connection, 1, 3);
    await gateway.update(
      filterResource({ max_requests_per_connection: 5, jitter_percent: 0 }),
      RELOADS,
    );
    await send(connection, 4, 5);
    const transcript = await connection.transcribe(6);
    expect(connectionFields(transcript)).toBe("- - - - close");
    expect(transcript.connection).toBe("ended");
    await gateway.stop();
  });

  test("when shadow mode is switched off, connections beyond their limit end at once", async () => {
    const live = { max_requests_per_connection: 2, jitter_percent: 0 };
    const gateway = await DynamicGateway.start("filter", { ...live, shadow_mode: true });
    const connection = await Http1Connection.open(gateway.port);
    await send(connection, 1, 3);
    await gateway.update(filterResource(live), RELOADS);
    await send(connection, 4, 4);
    const transcript = await connection.transcribe(5);
    expect(connectionFields(transcript)).toBe("- - - close");
    expect(transcript.connection).toBe("ended");
    await gateway.stop();
  });

  test("a refused update leaves the running configuration in force", async () => {
    const gateway = await DynamicGateway.start("filter", {
      max_requests_per_connection: 3,
      jitter_percent: 0,
    });
    const connection = await Http1Connection.open(gateway.port);
    await send(connection, 1, 2);
    await gateway.update(filterResource({ max_requests_per_connection: 0 }), REFUSALS);
    await send(connection, 3, 3);
    expect(connectionFields(await connection.transcribe(4))).toBe("- - close");
    expect(gateway.envoy.log).toContain("max_requests_per_connection must be -1 (never)");
    await gateway.stop([/got 0$/, ...REFUSED]);
  });

  test("updates under load, good and bad ones, on several workers lose no request", async () => {
    const gateway = await DynamicGateway.start("filter", { max_requests_per_connection: 5 }, 3);
    const load = Load.start(gateway.port);
    for (let limit = 6; limit < 12; limit++) {
      await gateway.update(filterResource({ max_requests_per_connection: limit }), RELOADS);
      await sleep(200);
    }
    await gateway.update(filterResource({ max_requests_per_connection: "many" }), REFUSALS);
    await sleep(500);
    const { requests, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(500);
    await gateway.stop([/got "many"$/, ...REFUSED]);
  });

  test("a listener update with connections open loses no request", async () => {
    const gateway = await DynamicGateway.start("listener", { max_requests_per_connection: 50 }, 3);
    const open = await Http1Connection.open(gateway.port);
    await send(open, 1, 2);
    const load = Load.start(gateway.port);
    for (let limit = 51; limit < 54; limit++) {
      await gateway.update(
        listenerResource({ max_requests_per_connection: limit }),
        "listener_manager.listener_modified",
      );
      await sleep(400);
    }
    const { requests, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(300);
    // The old filter chain still serves its connection, though Envoy may ask it to go.
    const response = await open.send(GET, "GET").response(3);
    expect(response.body).toBe("hello\n");
    expect(header(response, "connection").length).toBeLessThanOrEqual(1);
    open.close();
    await gateway.stop();
  });
});
