import { afterAll, beforeAll, expect } from "vitest";
import { type EnvoyOptions, EnvoyProcess } from "../../../tools/envoy/process.js";
import { configure, connectionManager, readSample, relocate, type Sample } from "./sample.js";
import { Upstream } from "./upstream.js";

export interface GatewayOptions extends EnvoyOptions {
  /** The sample to run; the default deployment unless given. */
  sample?: string;
  /** Keys of the plugin's configuration. */
  plugin?: Record<string, unknown> | string;
  /** Further changes to the sample. */
  edit?: (sample: Sample) => void;
  /** Log lines that this test provokes; any other warning or error fails it. */
  expectedLog?: RegExp[];
}

/** The shipped sample on a real Envoy, with a real service behind it. */
export class Gateway {
  private constructor(
    readonly envoy: EnvoyProcess,
    readonly upstream: Upstream,
    readonly port: number,
    private readonly expectedLog: RegExp[],
  ) {}

  static async start(options: GatewayOptions = {}): Promise<Gateway> {
    const upstream = await Upstream.start();
    const sample = relocate(readSample(options.sample), upstream.port);
    const listener = sample.static_resources.listeners[0]!;
    if (options.plugin !== undefined) configure(listener, options.plugin);
    addTestRoutes(sample);
    options.edit?.(sample);
    const envoy = await EnvoyProcess.start(sample, options);
    return new Gateway(envoy, upstream, await envoy.port("ingress"), options.expectedLog ?? []);
  }

  /** A statistic of the plugin, once everything that has happened so far is flushed. */
  async stat(name: string): Promise<number> {
    return (await this.settledStats())[`wasmcustom.evenkeel_${name}`]!;
  }

  /** All statistics, once the plugin has flushed what has happened so far. */
  async settledStats(): Promise<Record<string, number>> {
    // Ticks come every second; two stable readings more than a tick apart are final.
    let previous = "";
    for (;;) {
      const stats = await this.envoy.stats();
      const own = JSON.stringify(
        Object.entries(stats).filter(([name]) => name.includes("evenkeel")),
      );
      if (own === previous) return stats;
      previous = own;
      await new Promise((resolve) => setTimeout(resolve, 1300));
    }
  }

  /** Stops the gateway; nothing alarming may have happened while it ran. */
  async stop(): Promise<void> {
    const stats = await this.envoy.stats();
    const { log } = this.envoy;
    const exitCode = await this.envoy.stop();
    await this.upstream.stop();
    expectCalm(log, this.expectedLog);
    expect(stats["wasmcustom.evenkeel_host_call_failed"] ?? 0, "host calls that failed").toBe(0);
    expect(exitCode, "Envoy's exit code").toBe(0);
  }
}

/** A gateway for all tests of a `describe` block or file. */
export function useGateway(options: GatewayOptions = {}): () => Gateway {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await Gateway.start(options);
  });
  afterAll(async () => {
    await gateway.stop();
  });
  return () => gateway;
}

/** Warnings that every Envoy gives in this setting, whatever plugin it runs. */
const ORDINARY = [
  /no configured limit to the number of allowed active downstream connections/,
  // Written when Envoy is stopped by a signal.
  /caught ENVOY_SIGTERM/,
];

/** Fails on any warning or error in an Envoy's log, and so on any VM that trapped. */
export function expectCalm(log: string, expected: RegExp[] = []): void {
  const alarming = log
    .split("\n")
    .filter((line) => /\[(warning|error|critical)\]/.test(line))
    .filter((line) => ![...ORDINARY, ...expected].some((known) => known.test(line)));
  expect(alarming, "alarming lines in Envoy's log").toEqual([]);
}

/** Routes for answers that the sample's own route does not give, and protocols it leaves off. */
function addTestRoutes(sample: Sample): void {
  const manager = connectionManager(sample.static_resources.listeners[0]!);
  manager.upgrade_configs = [{ upgrade_type: "websocket" }];
  manager.http_protocol_options = { accept_http_10: true, default_host_for_http_10: "service" };
  const { routes } = manager.route_config.virtual_hosts[0]!;
  routes.unshift(
    {
      match: { prefix: "/direct" },
      direct_response: { status: 200, body: { inline_string: "direct\n" } },
    },
    { match: { prefix: "/moved" }, redirect: { path_redirect: "/" } },
    { match: { prefix: "/never" }, route: { cluster: "service", timeout: "0.2s" } },
    {
      match: { prefix: "/redirect" },
      route: {
        cluster: "service",
        internal_redirect_policy: { max_internal_redirects: 1 },
      },
    },
  );
  manager.route_config.virtual_hosts[0] = {
    ...manager.route_config.virtual_hosts[0]!,
    // A request for another host has no route.
    ...{ domains: ["service", "service:*", "127.0.0.1:*", "localhost:*"] },
  };
}
