import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionFields, Http1Connection } from "./clients/http1.js";
import { type Http2Transcript, playHttp2 } from "./clients/http2.js";
import { Gateway, useGateway } from "./support/gateway.js";
import { connectionManager, type Sample } from "./support/sample.js";
import { tlsSocket } from "./support/tls.js";

const GRACEFUL = 2 ** 31 - 1;
const PLUGIN = {
  max_requests_per_connection: 2,
  max_streams_per_connection: 3,
  jitter_percent: 0,
};

/** Shortens the time between the two GOAWAYs, which is 5 s in the sample. */
function drainSoon(sample: Sample): void {
  connectionManager(sample.static_resources.listeners[0]!).drain_timeout = "0.5s";
}

/** Types and streams of the frames that tell how a connection ends. */
function story({ frames }: Http2Transcript): string {
  return frames
    .filter(({ type }) => type === "Headers" || type === "GoAway")
    .map(({ type, stream, last }) =>
      type === "Headers" ? String(stream) : last === GRACEFUL ? "GOAWAY" : `GOAWAY(${last})`,
    )
    .join(" ");
}

function expectWhole(transcript: Http2Transcript, streams: number, size: number): void {
  expect(transcript.violation).toBe(null);
  expect(Object.values(transcript.streams)).toEqual(
    Array(streams).fill({ status: 200, size, ended: true }),
  );
}

describe.each([
  { deployment: "the helper", options: {} },
  { deployment: "the helper, Envoy 1.37.0", options: { version: "1.37.0" as const } },
  { deployment: "a helper before evenkeel", options: { sample: "envoy/lua-first.yaml" } },
  { deployment: "both filters", options: { sample: "envoy/both.yaml" } },
])("limit 3, prior knowledge, frame by frame, through $deployment", ({ options }) => {
  const gateway = useGateway({ ...options, plugin: PLUGIN, edit: drainSoon });

  test("streams 1 and 2 see no GOAWAY, the third a graceful one, later comes the final one", async () => {
    const transcript = await playHttp2(gateway().port, [
      ["request", 1, "/"],
      ["ended", 1],
      ["request", 1, "/"],
      ["ended", 2],
      ["quiet", 0.7],
      ["request", 1, "/"],
      ["ended", 3],
      ["closed"],
    ]);
    expectWhole(transcript, 3, 6);
    expect(story(transcript)).toMatch(/^1 3 (GOAWAY 5|5 GOAWAY) GOAWAY\(5\)$/);
    expect(transcript.connection).toBe("ended");
  });

  test("a connection below its limit is left alone", async () => {
    const transcript = await playHttp2(gateway().port, [
      ["request", 2, "/"],
      ["ended", 2],
      ["quiet", 1],
    ]);
    expectWhole(transcript, 2, 6);
    expect(transcript.goaways).toEqual([]);
    expect(transcript.connection).toBe("open");
  });

  test("50 concurrent streams across the limit all complete, with one drain", async () => {
    const before = await gateway().stat("drain_by_requests");
    const transcript = await playHttp2(gateway().port, [
      ["request", 50, "/bytes/5000"],
      ["ended", 50],
      ["closed"],
    ]);
    expectWhole(transcript, 50, 5000);
    expect(transcript.goaways).toEqual([GRACEFUL, 99]);
    expect(transcript.connection).toBe("ended");
    expect((await gateway().stat("drain_by_requests")) - before).toBe(1);
  });

  test("streams that are opened between the two GOAWAYs are served", async () => {
    const transcript = await playHttp2(gateway().port, [
      ["request", 3, "/"],
      ["goaways", 1],
      ["request", 5, "/"],
      ["ended", 8],
      ["closed"],
    ]);
    expectWhole(transcript, 8, 6);
    expect(transcript.goaways).toEqual([GRACEFUL, 15]);
    expect(transcript.connection).toBe("ended");
  });

  test("a stream that takes longer than the drain completes, then the connection ends", async () => {
    const transcript = await playHttp2(gateway().port, [
      ["request", 2, "/"],
      ["ended", 2],
      ["request", 1, "/bytes/400000"],
      ["goaways", 1],
      ["headers", 5],
      ["pause", 1.2],
      ["ended", 3],
      ["closed"],
    ]);
    expect(transcript.violation).toBe(null);
    expect(transcript.streams["5"]).toEqual({ status: 200, size: 400_000, ended: true });
    expect(transcript.goaways).toEqual([GRACEFUL, 5]);
    // A last WINDOW_UPDATE may meet a socket that is closed already, which answers with a reset.
    expect(transcript.connection).not.toBe("open");
  });

  test("RST_STREAM of the stream at the limit harms no other; the next stream asks again", async () => {
    const transcript = await playHttp2(gateway().port, [
      ["request", 2, "/bytes/400000"],
      ["request", 1, "/bytes/400000"],
      ["reset", 5],
      ["ended", 2],
      ["request", 1, "/bytes/400000"],
      ["ended", 3],
      ["closed"],
    ]);
    expect(transcript.violation).toBe(null);
    for (const id of ["1", "3", "7"]) {
      expect(transcript.streams[id]).toEqual({ status: 200, size: 400_000, ended: true });
    }
    expect(transcript.goaways).toEqual([GRACEFUL, 7]);
    expect(transcript.connection).not.toBe("open");
  });

  test("an upstream that fails or never answers at the limit gets its error through", async () => {
    for (const [path, status] of [
      ["/fail", 503],
      ["/never", 504],
      ["/direct", 200],
      ["/moved", 301],
    ] as const) {
      const transcript = await playHttp2(gateway().port, [
        ["request", 2, "/"],
        ["ended", 2],
        ["request", 1, path],
        ["ended", 3],
        ["closed"],
      ]);
      expect(transcript.violation).toBe(null);
      expect(transcript.streams["5"]).toMatchObject({ status, ended: true });
      expect(transcript.goaways).toEqual([GRACEFUL, 5]);
      expect(transcript.connection).toBe("ended");
    }
  });

  test("connections count apart, and HTTP/1.1 beside them follows its own limit", async () => {
    const quiet = playHttp2(gateway().port, [
      ["request", 1, "/"],
      ["quiet", 2],
      ["request", 1, "/"],
      ["ended", 2],
      ["quiet", 1],
    ]);
    const busy = await playHttp2(gateway().port, [["request", 10, "/"], ["ended", 10], ["closed"]]);
    expect(busy.goaways).toEqual([GRACEFUL, 19]);
    const http1 = await Http1Connection.open(gateway().port);
    http1.send("GET / HTTP/1.1\r\nhost: service\r\n\r\n".repeat(3), "GET", "GET", "GET");
    expect(connectionFields(await http1.transcribe(3))).toBe("- close");
    expect((await quiet).goaways).toEqual([]);
  });

  test("nghttp is served whole and sees the GOAWAY with the third stream", async ({ skip }) => {
    const version = await execa("nghttp", ["--version"], { reject: false });
    if (version.exitCode !== 0) {
      skip("nghttp is not installed (package nghttp2-client)");
      return;
    }
    const output = async (requests: number) =>
      (
        await execa("nghttp", [
          "--null-out",
          "--verbose",
          "--no-dep",
          `--multiply=${requests}`,
          `http://127.0.0.1:${gateway().port}/`,
        ])
      ).stdout;
    expect(await output(2)).not.toMatch(/recv GOAWAY/);
    const three = await output(6);
    expect(three.match(/:status: 200/g)).toHaveLength(6);
    expect(three).toMatch(/recv GOAWAY frame[^]*last_stream_id=2147483647, error_code=NO_ERROR/);
  });
});

interface Variant {
  name: string;
  open: (gateway: Gateway, ca: string) => ClientHttp2Session;
  tls: boolean;
}

const VARIANTS: Variant[] = [
  {
    name: "prior knowledge",
    tls: false,
    open: (gateway) => connect(`http://127.0.0.1:${gateway.port}`),
  },
  {
    name: "TLS with ALPN",
    tls: true,
    open: (gateway, ca) =>
      connect(`https://127.0.0.1:${gateway.port}`, { ca, servername: "localhost" }),
  },
];

describe.each(VARIANTS)("limit 3, Node's client, $name", ({ open, tls }) => {
  let gateway: Gateway;
  let ca = "";

  beforeAll(async () => {
    const { socket, ca: certificate } = await tlsSocket(["h2", "http/1.1"]);
    ca = certificate;
    const edit = (sample: Sample) => {
      drainSoon(sample);
      if (tls) sample.static_resources.listeners[0]!.filter_chains[0]!.transport_socket = socket;
    };
    gateway = await Gateway.start({ plugin: PLUGIN, edit });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  test("the third stream brings the GOAWAY, and the session closes by itself", async () => {
    const session = open(gateway, ca);
    const goaways: number[] = [];
    session.on("goaway", (code: number, last: number) => {
      expect(code).toBe(0);
      goaways.push(last);
    });
    for (let stream = 1; stream <= 3; stream++) {
      expect(goaways).toEqual([]);
      expect(await fetchStream(session, "/bytes/1000")).toEqual([200, 1000]);
    }
    if (!session.destroyed) await once(session, "close");
    expect(goaways[0]).toBe(GRACEFUL);
    if (tls) expect(session.alpnProtocol).toBe("h2");
  });

  test("a client that opens a new session after each GOAWAY loses no request", async () => {
    const before = await gateway.stat("drain_by_requests");
    let session = open(gateway, ca);
    let sessions = 1;
    for (let i = 0; i < 60; i++) {
      if (session.closed || session.destroyed) {
        session = open(gateway, ca);
        sessions++;
      }
      expect(await fetchStream(session, "/bytes/3000")).toEqual([200, 3000]);
    }
    session.close();
    expect(sessions).toBeGreaterThanOrEqual(15);
    expect((await gateway.stat("drain_by_requests")) - before).toBeGreaterThanOrEqual(14);
  });
});

/** Status and size of the answer to one GET. */
async function fetchStream(session: ClientHttp2Session, path: string): Promise<[number, number]> {
  const stream = session.request({ ":path": path });
  let status = 0;
  stream.on("response", (headers) => (status = headers[":status"]!));
  let size = 0;
  for await (const chunk of stream) size += (chunk as Buffer).length;
  return [status, size];
}
