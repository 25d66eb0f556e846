import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EnvoyProcess } from "../../tools/envoy/process.js";
import { connectionFields, Http1Connection } from "./clients/http1.js";
import { playHttp2 } from "./clients/http2.js";
import { expectCalm, Gateway, useGateway } from "./support/gateway.js";
import {
  configure,
  connectionManager,
  pluginConfigs,
  readSample,
  relocate,
} from "./support/sample.js";
import { tlsSocket } from "./support/tls.js";

const GET = "GET / HTTP/1.1\r\nhost: service\r\n\r\n";
const NETWORK = "envoy/network.yaml";
const LIMIT_3 = {
  max_requests_per_connection: 3,
  max_streams_per_connection: 3,
  jitter_percent: 0,
};

async function five(port: number): Promise<string> {
  const connection = await Http1Connection.open(port);
  connection.send(GET.repeat(5), ...Array<string>(5).fill("GET"));
  const transcript = await connection.transcribe(5);
  connection.close();
  expect(transcript.responses.every(({ body }) => body === "hello\n")).toBe(true);
  return connectionFields(transcript);
}

describe("with the network filter", () => {
  const gateway = useGateway({ sample: NETWORK, plugin: LIMIT_3 });

  test("a connection that has closed is no longer tracked", async () => {
    for (let i = 0; i < 20; i++) expect(await five(gateway().port)).toBe("- - close");
    expect(await gateway().stat("connections_tracked")).toBe(0);
    expect(await gateway().stat("drain_by_requests")).toBe(20);
    expect(await gateway().stat("drain_ignored")).toBe(0);
  });

  test("a connection that the client closes early is no longer tracked either", async () => {
    const connections = await Promise.all(
      Array.from({ length: 20 }, () => Http1Connection.open(gateway().port)),
    );
    for (const connection of connections) await connection.send(GET, "GET").response(1);
    expect(await gateway().stat("connections_tracked")).toBe(20);
    for (const connection of connections) connection.close();
    await expect.poll(() => gateway().stat("connections_tracked"), { timeout: 20_000 }).toBe(0);
  });

  test("the access log shows the reason as with the helper", async () => {
    const logged = () =>
      gateway()
        .envoy.log.split("\n")
        .filter((line) => line.includes(" /logged "))
        .map((line) => /EVENKEEL=(.*)$/.exec(line)![1]);
    const connection = await Http1Connection.open(gateway().port);
    connection.send(GET.replace("/", "/logged").repeat(3), "GET", "GET", "GET");
    await connection.transcribe(3);
    await expect.poll(logged, { timeout: 15_000 }).toEqual(["-", "-", "requests"]);
  });
});

test("HTTP/2 stays open through the network filter alone: it passes untouched", async () => {
  const gateway = await Gateway.start({
    sample: NETWORK,
    plugin: { ...LIMIT_3, drain: "network" },
  });
  const transcript = await playHttp2(gateway.port, [
    ["request", 10, "/bytes/5000"],
    ["ended", 10],
    ["quiet", 0.5],
  ]);
  expect(transcript.violation).toBe(null);
  expect(Object.values(transcript.streams).every(({ size }) => size === 5000)).toBe(true);
  expect([transcript.goaways, transcript.connection]).toEqual([[], "open"]);
  await gateway.stop();
});

test("with both filters HTTP/1.x and HTTP/2 are ended, and nothing is counted twice", async () => {
  const gateway = await Gateway.start({
    sample: "envoy/both.yaml",
    concurrency: 2,
    plugin: LIMIT_3,
    edit: (sample) => {
      connectionManager(sample.static_resources.listeners[0]!).drain_timeout = "0.5s";
    },
  });
  for (let i = 0; i < 4; i++) expect(await five(gateway.port)).toBe("- - close");
  const transcript = await playHttp2(gateway.port, [["request", 5, "/"], ["ended", 5], ["closed"]]);
  expect(transcript.violation).toBe(null);
  expect(transcript.goaways).toEqual([2 ** 31 - 1, 9]);
  const stats = await gateway.settledStats();
  expect(stats["wasmcustom.evenkeel_requests"]).toBe(4 * 3 + 5);
  expect(stats["wasmcustom.evenkeel_drain_by_requests"]).toBe(5);
  expect(stats["wasmcustom.evenkeel_drain_ignored"]).toBe(0);
  expect(stats["wasmcustom.evenkeel_connections_tracked"]).toBe(0);
  await gateway.stop();
});

test.each([
  ["drain: lua leaves it to the helper", "lua", "- - close"],
  ["drain: network needs no helper", "network", "- - close"],
  ["drain: auto takes the network filter", "auto", "- - close"],
])("with both filters %s", async (_sentence, drain, fields) => {
  const gateway = await Gateway.start({ sample: "envoy/both.yaml", plugin: { ...LIMIT_3, drain } });
  expect(await five(gateway.port)).toBe(fields);
  expect(await gateway.stat("drain_by_requests")).toBe(1);
  await gateway.stop();
});

test.each([
  ["another vm_id", (config: Record<string, unknown>) => (config.vm_id = "other")],
  [
    "another vm_config.configuration",
    (config: Record<string, unknown>) =>
      (config.configuration = {
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        value: "x",
      }),
  ],
  [
    "another environment",
    (config: Record<string, unknown>) =>
      (config.environment_variables = { key_values: { A: "b" } }),
  ],
])(
  "filters that do not share a VM for %s end nothing, which is counted and said",
  async (_, part) => {
    const gateway = await Gateway.start({
      sample: NETWORK,
      plugin: { ...LIMIT_3, drain: "network" },
      edit: (sample) => {
        const [network] = pluginConfigs(sample.static_resources.listeners[0]!);
        network!.vm_config = structuredClone(network!.vm_config);
        part(network!.vm_config as Record<string, unknown>);
      },
      expectedLog: [/drain is network, but no network filter of evenkeel in this VM/],
    });
    expect(await five(gateway.port)).toBe("- - - - -");
    expect(await gateway.stat("drain_ignored")).toBe(3);
    expect(gateway.envoy.log.match(/drain is network, but/g)).toHaveLength(1);
    await gateway.stop();
  },
);

test("behind TLS the network filter sees plain text, and ends connections as elsewhere", async () => {
  const { socket, ca } = await tlsSocket(["http/1.1"]);
  const gateway = await Gateway.start({
    sample: NETWORK,
    plugin: LIMIT_3,
    edit: (sample) => {
      sample.static_resources.listeners[0]!.filter_chains[0]!.transport_socket = socket;
    },
  });
  const client = connectTls({ port: gateway.port, host: "127.0.0.1", ca, servername: "localhost" });
  client.write(GET.repeat(5));
  let answer = "";
  for await (const chunk of client) answer += String(chunk);
  expect(answer.match(/HTTP\/1.1 200 OK/g)).toHaveLength(3);
  expect(answer.match(/connection: close/g)).toHaveLength(1);
  expect(answer.match(/hello\n/g)).toHaveLength(3);
  await gateway.stop();
});

describe("on plain TCP, where no HTTP connection manager follows", () => {
  let envoy: EnvoyProcess;
  let port: number;
  const echo = createServer((socket) => {
    socket.on("error", () => socket.destroy()).pipe(socket);
  });

  beforeAll(async () => {
    echo.listen(0, "127.0.0.1");
    await once(echo, "listening");
    const sample = relocate(readSample(NETWORK), (echo.address() as AddressInfo).port);
    const listener = sample.static_resources.listeners[0]!;
    configure(listener, { max_requests_per_connection: 1, jitter_percent: 0 });
    const [network] = listener.filter_chains[0]!.filters;
    const proxy = {
      name: "envoy.filters.network.tcp_proxy",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix: "tcp",
        cluster: "service",
      },
    };
    listener.filter_chains[0]!.filters = [network!, proxy as never];
    envoy = await EnvoyProcess.start(sample);
    port = await envoy.port("ingress");
  });

  afterAll(async () => {
    const { log } = envoy;
    expect(await envoy.stop()).toBe(0);
    expectCalm(log);
    echo.close();
  });

  test.each([
    ["HTTP requests", GET.repeat(10)],
    ["an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["a TLS record", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20)],
    ["bare LFs", "\n".repeat(1000)],
    ["64 kB without a line end", `GET /${"a".repeat(65_536)}`],
    ["leading CRLFs", `\r\n\r\n${GET}`],
    ["half a request line", "GET /"],
  ])("%s pass untouched, and at once", async (_sentence, bytes) => {
    const socket: Socket = connect(port, "127.0.0.1");
    socket.setEncoding("latin1").write(bytes, "latin1");
    let echoed = "";
    for await (const chunk of socket) {
      echoed += chunk as string;
      if (echoed.length >= bytes.length) break;
    }
    expect(echoed).toBe(bytes);
  });
});
