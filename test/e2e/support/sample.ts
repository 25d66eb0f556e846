import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "../../../tools/paths.js";

/** Parts of an Envoy bootstrap that tests look into; whatever else a sample says stays as it is. */
export interface Sample extends Record<string, unknown> {
  admin: { address: { socket_address: SocketAddress } };
  static_resources: { listeners: Listener[]; clusters: Cluster[] };
}

export interface Listener {
  name: string;
  address: { socket_address: SocketAddress };
  filter_chains: {
    transport_socket?: unknown;
    filters: { name: string; typed_config: ConnectionManager }[];
  }[];
}

export interface ConnectionManager extends Record<string, unknown> {
  http_filters: { name: string; typed_config: { config: PluginConfig } }[];
  access_log: unknown[];
  route_config: { virtual_hosts: { routes: unknown[] }[] };
}

interface SocketAddress {
  address: string;
  port_value: number;
}

interface PluginConfig extends Record<string, unknown> {
  configuration: { "@type": string; value: unknown };
}

interface Cluster {
  name: string;
  load_assignment: {
    endpoints: { lb_endpoints: { endpoint: { address: { socket_address: SocketAddress } } }[] }[];
  };
}

/** A shipped sample, as it is. */
export function readSample(path = "envoy/envoy.yaml"): Sample {
  return parse(readFileSync(join(ROOT, path), "utf8")) as Sample;
}

/** Moves a sample to free ports of the loopback interface, and to a service on another port. */
export function relocate(sample: Sample, upstreamPort: number): Sample {
  sample.admin.address.socket_address = { address: "127.0.0.1", port_value: 0 };
  for (const listener of sample.static_resources.listeners) {
    const { socket_address } = listener.address;
    listener.address.socket_address = { ...socket_address, address: "127.0.0.1", port_value: 0 };
  }
  for (const cluster of sample.static_resources.clusters) {
    for (const { lb_endpoints } of cluster.load_assignment.endpoints) {
      for (const { endpoint } of lb_endpoints) {
        endpoint.address.socket_address.port_value = upstreamPort;
      }
    }
  }
  return sample;
}

export function connectionManager(listener: Listener): ConnectionManager {
  return listener.filter_chains[0]!.filters.at(-1)!.typed_config;
}

export function pluginConfig(listener: Listener): PluginConfig {
  return connectionManager(listener).http_filters.find(({ name }) => name === "evenkeel")!
    .typed_config.config;
}

/** Gives all of a listener's evenkeel filters a configuration: keys and values, or a text as it is. */
export function configure(listener: Listener, configuration: Record<string, unknown> | string) {
  for (const config of pluginConfigs(listener)) {
    config.configuration =
      typeof configuration === "string"
        ? { "@type": "type.googleapis.com/google.protobuf.StringValue", value: configuration }
        : { "@type": "type.googleapis.com/google.protobuf.Struct", value: configuration };
  }
}

/** The configurations of a listener's network filters and HTTP filters of evenkeel. */
export function pluginConfigs(listener: Listener): PluginConfig[] {
  const filters = [
    ...(listener.filter_chains[0]!.filters as unknown as { name: string; typed_config: object }[]),
    ...connectionManager(listener).http_filters,
  ];
  return filters
    .map(({ typed_config }) => typed_config as { "@type": string; config: PluginConfig })
    .filter((config) => config["@type"].endsWith(".wasm.v3.Wasm"))
    .map(({ config }) => config);
}
