import { rename, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { EnvoyProcess } from "../tools/envoy/process.js";
import { ROOT } from "../tools/paths.js";

export const PODS = 3;

export interface ServiceOptions {
  /** Requests per connection, or streams; `null` leaves evenkeel out. */
  limit: number | null;
}

/** What the demonstration changes of the shipped sample. */
interface Bootstrap extends Record<string, unknown> {
  admin: { address: unknown };
  static_resources: { listeners: Listener[]; clusters: Cluster[] };
}

interface Listener {
  name: string;
  address: unknown;
  filter_chains: {
    filters: {
      typed_config: {
        http_filters: { name: string; typed_config: { config: { configuration: unknown } } }[];
        access_log: unknown[];
        route_config: { virtual_hosts: { routes: unknown[] }[] };
      };
    }[];
  }[];
}

interface Cluster {
  name: string;
  load_assignment: unknown;
}

const ANY_PORT = { socket_address: { address: "127.0.0.1", port_value: 0 } };

/**
 * A service behind an L4 balancer, of real parts: a backend and an Envoy listener for each Pod, and an
 * Envoy `tcp_proxy` with round robin in front of them, which is what a Kubernetes Service is.
 */
export class Service {
  private constructor(
    private readonly backends: Backend[],
    private readonly pods: EnvoyProcess,
    private readonly podPorts: number[],
    private readonly balancer: EnvoyProcess,
    /** Port of the balancer. */
    readonly port: number,
  ) {}

  /** Starts all Pods; the balancer knows the first one only. */
  static async start(options: ServiceOptions): Promise<Service> {
    const backends = await Promise.all(Array.from({ length: PODS }, () => Backend.start()));
    const pods = await EnvoyProcess.start(podsBootstrap(backends, options));
    const podPorts = await Promise.all(backends.map((_, pod) => pods.port(`pod-${pod + 1}`)));
    const balancer = await EnvoyProcess.start(async (folder) => {
      await writeEndpoints(folder, podPorts.slice(0, 1));
      return balancerBootstrap(folder);
    });
    return new Service(backends, pods, podPorts, balancer, await balancer.port("service"));
  }

  /** Tells the balancer of all Pods, in one step. */
  async scaleUp(): Promise<void> {
    await writeEndpoints(this.balancer.folder, this.podPorts);
  }

  /** Requests that each Pod's backend has answered so far. */
  get requests(): number[] {
    return this.backends.map(({ requests }) => requests);
  }

  async stop(): Promise<void> {
    await Promise.all([this.balancer.stop(), this.pods.stop()]);
    await Promise.all(this.backends.map((backend) => backend.stop()));
  }
}

/** A Pod's application: answers every request and counts it. */
class Backend {
  requests = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Backend> {
    const server = createServer((request, response) => {
      backend.requests++;
      request.resume();
      response.end("hello from a Pod\n");
    });
    server.keepAliveTimeout = 60_000;
    const backend = new Backend(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return backend;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** The shipped sample, once for each Pod. */
function podsBootstrap(backends: Backend[], { limit }: ServiceOptions): Bootstrap {
  const sample = parse(readFileSync(join(ROOT, "envoy/envoy.yaml"), "utf8")) as Bootstrap;
  const [listener, cluster] = [
    sample.static_resources.listeners[0]!,
    sample.static_resources.clusters[0]!,
  ];
  sample.admin.address = ANY_PORT;
  sample.static_resources.listeners = backends.map((_, pod) => {
    const copy = structuredClone(listener);
    copy.name = `pod-${pod + 1}`;
    copy.address = ANY_PORT;
    const manager = copy.filter_chains[0]!.filters[0]!.typed_config;
    manager.access_log = [];
    manager.route_config.virtual_hosts[0]!.routes = [
      { match: { prefix: "/" }, route: { cluster: `backend-${pod + 1}` } },
    ];
    if (limit === null) {
      manager.http_filters = manager.http_filters.filter(({ name }) => !/^evenkeel/.test(name));
    } else {
      manager.http_filters[0]!.typed_config.config.configuration = {
        "@type": "type.googleapis.com/google.protobuf.Struct",
        value: { max_requests_per_connection: limit, max_streams_per_connection: limit },
      };
    }
    return copy;
  });
  sample.static_resources.clusters = backends.map(({ port }, pod) => ({
    ...cluster,
    name: `backend-${pod + 1}`,
    load_assignment: assignment(`backend-${pod + 1}`, [port]),
  }));
  return sample;
}

function balancerBootstrap(folder: string): Record<string, unknown> {
  const watched = { path: endpointsFile(folder), watched_directory: { path: folder } };
  return {
    node: { id: "balancer", cluster: "evenkeel-demo" },
    admin: { address: ANY_PORT },
    static_resources: {
      listeners: [
        {
          name: "service",
          address: ANY_PORT,
          filter_chains: [
            {
              filters: [
                {
                  name: "envoy.filters.network.tcp_proxy",
                  typed_config: {
                    "@type":
                      "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                    stat_prefix: "service",
                    cluster: "pods",
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: "pods",
          type: "EDS",
          lb_policy: "ROUND_ROBIN",
          eds_cluster_config: {
            eds_config: { resource_api_version: "V3", path_config_source: watched },
          },
        },
      ],
    },
  };
}

function endpointsFile(folder: string): string {
  return join(folder, "endpoints.json");
}

async function writeEndpoints(folder: string, ports: number[]): Promise<void> {
  const file = endpointsFile(folder);
  const type = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
  const resource = { "@type": type, ...assignment("pods", ports) };
  await writeFile(`${file}.new`, JSON.stringify({ resources: [resource] }));
  await rename(`${file}.new`, file);
}

function assignment(cluster: string, ports: number[]): Record<string, unknown> {
  return {
    cluster_name: cluster,
    endpoints: [
      {
        lb_endpoints: ports.map((port) => ({
          endpoint: {
            address: { socket_address: { address: "127.0.0.1", port_value: port } },
          },
        })),
      },
    ],
  };
}
