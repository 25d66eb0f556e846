import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "../tools/paths.js";

interface ConnectionManager {
  http_filters: { name: string }[];
  common_http_protocol_options?: object;
  access_log: unknown[];
  route_config: { virtual_hosts: { routes: unknown[] }[] };
}

interface Listener {
  name: string;
  address: unknown;
  filter_chains: { filters: { typed_config: ConnectionManager }[] }[];
}

export interface Contestant {
  name: string;
  /** The sample whose filters it runs. */
  sample: string;
  /** Takes the filters that are ours out, so that Envoy's own limit can take their place. */
  edit?: (manager: ConnectionManager, listener: Listener) => void;
}

function withoutEvenkeel(manager: ConnectionManager): void {
  manager.http_filters = manager.http_filters.filter(({ name }) => !name.startsWith("evenkeel"));
}

/** Side by side: what Envoy costs without a limit, with its own, and with each of our samples. */
export const CONTESTANTS: Contestant[] = [
  { name: "no filter", sample: "envoy/envoy.yaml", edit: withoutEvenkeel },
  {
    name: "native max_requests_per_connection",
    sample: "envoy/envoy.yaml",
    edit: (manager) => {
      withoutEvenkeel(manager);
      manager.common_http_protocol_options = { max_requests_per_connection: 100 };
    },
  },
  { name: "evenkeel, helper (envoy.yaml)", sample: "envoy/envoy.yaml" },
  { name: "evenkeel, network filter (network.yaml)", sample: "envoy/network.yaml" },
  { name: "evenkeel, both (both.yaml)", sample: "envoy/both.yaml" },
];

/** One Envoy with a listener for each contestant, which answers by itself with five bytes. */
export function bootstrap(): Record<string, unknown> {
  const listeners = CONTESTANTS.map(({ name, sample, edit }) => {
    const text = readFileSync(join(ROOT, sample), "utf8");
    const { static_resources } = parse(text) as { static_resources: { listeners: [Listener] } };
    const [listener] = static_resources.listeners;
    listener.name = name;
    listener.address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
    const manager = listener.filter_chains[0]!.filters.at(-1)!.typed_config;
    manager.access_log = [];
    manager.route_config.virtual_hosts[0]!.routes = [
      {
        match: { prefix: "/" },
        direct_response: { status: 200, body: { inline_string: "hello" } },
      },
    ];
    edit?.(manager, listener);
    return listener;
  });
  return {
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    static_resources: { listeners },
  };
}
