import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Connection, Proxy, type Worker } from "./emulator.js";

const LINE = "GET / HTTP/1.1\r\n";
const REST = "host: a\r\n\r\n";
const GET = LINE + REST;
const CLOSING = `${LINE}proxy-connection: close\r\n${REST}`;

function setUp(network: Record<string, unknown> = {}, http: Record<string, unknown> = {}) {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const limit = {
    max_requests_per_connection: 3,
    max_streams_per_connection: 3,
    jitter_percent: 0,
  };
  const networkRoot = worker.configure(JSON.stringify({ ...limit, ...network }))!;
  const httpRoot = worker.configure(JSON.stringify(http))!;
  return { proxy, worker, networkRoot, httpRoot };
}

/** A GET on a connection: what the network filter lets pass, and the mark of its stream. */
function get(worker: Worker, httpRoot: number, connection: Connection, bytes = GET) {
  const passed = worker.receive(connection, bytes);
  const mark = worker.send(httpRoot, { connectionId: connection.id });
  return { passed, mark };
}

describe("the network filter", () => {
  test("inserts its header into the third message, which is marked for the access log", () => {
    const { proxy, worker, networkRoot, httpRoot } = setUp();
    const connection = worker.connect(networkRoot, 7n);
    expect([1, 2, 3].map(() => get(worker, httpRoot, connection))).toEqual([
      { passed: GET, mark: undefined },
      { passed: GET, mark: undefined },
      { passed: CLOSING, mark: "requests" },
    ]);
    worker.tick(httpRoot);
    expect(proxy.stat("evenkeel_requests")).toBe(3n);
    expect(proxy.stat("evenkeel_drain_by_requests")).toBe(1n);
    expect(proxy.stat("evenkeel_drain_ignored")).toBe(0n);
  });

  test("follows its own configuration; the HTTP filter's is for other connections", () => {
    const { worker, networkRoot, httpRoot } = setUp(
      { max_requests_per_connection: 2 },
      { max_requests_per_connection: 1 },
    );
    const connection = worker.connect(networkRoot, 7n);
    expect([1, 2].map(() => get(worker, httpRoot, connection).passed)).toEqual([GET, CLOSING]);
    expect(worker.send(httpRoot, { connectionId: 8n })).toBe("requests");
  });

  test("works when the HTTP filter has no limit of its own", () => {
    const { worker, networkRoot, httpRoot } = setUp(
      {},
      { max_requests_per_connection: -1, max_streams_per_connection: -1 },
    );
    const connection = worker.connect(networkRoot, 7n);
    expect([1, 2, 3].map(() => get(worker, httpRoot, connection).passed)).toEqual([
      GET,
      GET,
      CLOSING,
    ]);
  });

  test("frees a connection's record when it closes", () => {
    const { proxy, worker, networkRoot, httpRoot } = setUp();
    for (let id = 0n; id < 1000n; id++) {
      const connection = worker.connect(networkRoot, id);
      get(worker, httpRoot, connection);
      worker.close(connection);
    }
    worker.tick(httpRoot);
    expect(proxy.stat("evenkeel_connections_tracked")).toBe(0n);
    expect(proxy.stat("evenkeel_connections_evicted")).toBe(0n);
  });

  test("keeps an open connection's record, however long it is idle", () => {
    const { worker, networkRoot, httpRoot } = setUp();
    const connection = worker.connect(networkRoot, 7n);
    for (let n = 1; n <= 2; n++) get(worker, httpRoot, connection);
    for (let second = 0; second < 4000; second++) {
      for (const root of [networkRoot, httpRoot]) worker.tick(root);
    }
    expect(get(worker, httpRoot, connection).passed).toBe(CLOSING);
  });

  test("shadow mode touches nothing and counts", () => {
    const { proxy, worker, networkRoot, httpRoot } = setUp({ shadow_mode: true });
    const connection = worker.connect(networkRoot, 7n);
    for (let i = 0; i < 5; i++) {
      expect(get(worker, httpRoot, connection)).toEqual({ passed: GET, mark: undefined });
    }
    worker.tick(httpRoot);
    expect(proxy.stat("evenkeel_shadow_drain_by_requests")).toBe(1n);
  });

  test.each([
    ["one property", "auto", ["proxy_get_property"]],
    ["nothing, where the HTTP filter leaves all to the network filter", "network", []],
  ])("reads no byte of a message that is not the last, and of the host %s", (_, drain, calls) => {
    const { worker, networkRoot, httpRoot } = setUp(
      { max_requests_per_connection: 100 },
      { drain },
    );
    const [a, b] = [worker.connect(networkRoot, 7n), worker.connect(networkRoot, 8n)];
    for (const connection of [a, b]) get(worker, httpRoot, connection);
    worker.reset();
    get(worker, httpRoot, a);
    expect(worker.calls).toEqual(calls);
  });

  test.each(["auto", "network"])(
    "counts connections apart whose bytes come in turn, in pieces, with drain %s",
    (drain) => {
      const { worker, networkRoot, httpRoot } = setUp({}, { drain });
      const [a, b] = [worker.connect(networkRoot, 7n), worker.connect(networkRoot, 8n)];
      const passed = { a: "", b: "" };
      for (let n = 1; n <= 3; n++) {
        passed.a += worker.receive(a, LINE) ?? "";
        passed.b += worker.receive(b, LINE) ?? "";
        passed.a += worker.receive(a, REST) ?? "";
        worker.send(httpRoot, { connectionId: 7n });
        if (n === 3) break;
        passed.b += worker.receive(b, REST) ?? "";
        worker.send(httpRoot, { connectionId: 8n });
      }
      expect(passed.a).toBe(GET + GET + CLOSING);
      expect(passed.b).toBe(`${GET}${GET}${LINE}proxy-connection: close\r\n`);
    },
  );

  test("a stream without bytes of its own is not taken for that of the connection before it", () => {
    const { worker, networkRoot, httpRoot } = setUp({}, { drain: "network" });
    const [a, b] = [worker.connect(networkRoot, 7n), worker.connect(networkRoot, 8n)];
    get(worker, httpRoot, a);
    for (let n = 1; n <= 2; n++) worker.send(httpRoot, { connectionId: 8n });
    expect(worker.receive(b, GET)).toBe(CLOSING);
    expect(get(worker, httpRoot, a).passed).toBe(GET);
  });

  test("bytes of a body, or of no stream, are not taken for those of another connection", () => {
    const { proxy, worker, networkRoot, httpRoot } = setUp({}, { drain: "network" });
    const [a, b] = [worker.connect(networkRoot, 7n), worker.connect(networkRoot, 8n)];
    worker.receive(a, "POST / HTTP/1.1\r\ncontent-length: 100\r\n\r\n");
    worker.send(httpRoot, { connectionId: 7n, body: true });
    for (let n = 1; n <= 3; n++) {
      worker.receive(a, "body");
      // A redirect that Envoy follows itself: a stream without bytes of its own.
      worker.send(httpRoot, { connectionId: 8n });
    }
    worker.tick(httpRoot);
    expect(worker.receive(b, GET)).toBe(CLOSING);
    expect(proxy.stat("evenkeel_requests")).toBe(4n);
  });

  test("a header that the host refuses leaves the bytes alone and is counted", () => {
    const { proxy, worker, networkRoot, httpRoot } = setUp({ drain: "network" });
    const connection = worker.connect(networkRoot, 7n);
    for (let i = 0; i < 2; i++) get(worker, httpRoot, connection);
    worker.failing.set("proxy_set_buffer_bytes", 2);
    expect(get(worker, httpRoot, connection).passed).toBe(GET);
    worker.failing.clear();
    expect(get(worker, httpRoot, connection).passed).toBe(CLOSING);
    worker.tick(httpRoot);
    expect(proxy.stat("evenkeel_host_call_failed")).toBe(1n);
    expect(proxy.stat("evenkeel_drain_by_requests")).toBe(1n);
  });
});

describe("only at the first byte of a message", () => {
  test("bytes of a body that look like a request line pass untouched", () => {
    const { worker, networkRoot, httpRoot } = setUp({ max_requests_per_connection: 2 });
    const connection = worker.connect(networkRoot, 7n);
    expect(worker.receive(connection, "POST / HTTP/1.1\r\ncontent-length: 100\r\n\r\n")).not.toBe(
      null,
    );
    worker.send(httpRoot, { connectionId: 7n, body: true });
    for (let i = 0; i < 3; i++) expect(worker.receive(connection, GET)).toBe(GET);
    worker.endRequest(7n);
    expect(worker.receive(connection, GET)).toBe(CLOSING);
  });

  test("trailers end a message, too", () => {
    const { worker, networkRoot, httpRoot } = setUp({ max_requests_per_connection: 2 });
    const connection = worker.connect(networkRoot, 7n);
    worker.receive(connection, "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
    worker.send(httpRoot, { connectionId: 7n, body: true });
    expect(worker.receive(connection, GET)).toBe(GET);
    worker.endRequest(7n, "trailers");
    expect(worker.receive(connection, GET)).toBe(CLOSING);
  });

  test("a head that comes in pieces is one message", () => {
    const { worker, networkRoot, httpRoot } = setUp({ max_requests_per_connection: 2 });
    const connection = worker.connect(networkRoot, 7n);
    get(worker, httpRoot, connection);
    expect(worker.receive(connection, LINE)).toBe(`${LINE}proxy-connection: close\r\n`);
    expect(worker.receive(connection, LINE)).toBe(LINE);
    expect(worker.receive(connection, REST)).toBe(REST);
    expect(worker.send(httpRoot, { connectionId: 7n })).toBe("requests");
  });

  test("a request line that comes byte by byte is held until its CRLF, and not longer", () => {
    const { worker, networkRoot, httpRoot } = setUp({ max_requests_per_connection: 2 });
    const connection = worker.connect(networkRoot, 7n);
    get(worker, httpRoot, connection);
    for (const byte of LINE.slice(0, -1)) expect(worker.receive(connection, byte)).toBe(null);
    expect(worker.receive(connection, "\n")).toBe(`${LINE}proxy-connection: close\r\n`);
  });

  test("nothing is held back once the client has ended", () => {
    const { worker, networkRoot, httpRoot } = setUp({ max_requests_per_connection: 2 });
    const connection = worker.connect(networkRoot, 7n);
    get(worker, httpRoot, connection);
    expect(worker.receive(connection, "GET /")).toBe(null);
    expect(worker.receive(connection, "", true)).toBe("GET /");
  });

  test.each([
    ["leading CRLFs", "\r\n\r\nGET / HTTP/1.1\r\n\r\n"],
    ["a bare LF", "\n"],
    ["a line that ends with LF", "GET / HTTP/1.1\n\n"],
    ["a TLS record", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"],
    ["the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["64 kB without a line end", `GET /${"a".repeat(65_536)}`],
  ])("%s pass untouched; the next message may be the last", (_sentence, bytes) => {
    const { worker, networkRoot, httpRoot } = setUp({ max_requests_per_connection: 2 });
    const connection = worker.connect(networkRoot, 7n);
    get(worker, httpRoot, connection);
    expect(get(worker, httpRoot, connection, bytes).passed).toBe(bytes);
    expect(get(worker, httpRoot, connection).passed).toBe(CLOSING);
  });

  test("a connection that the table has forgotten passes untouched", () => {
    const { worker, networkRoot, httpRoot } = setUp({
      max_requests_per_connection: 2,
      max_tracked_connections: 1,
    });
    worker.reconfigure(httpRoot, '{"max_tracked_connections":1}');
    const connection = worker.connect(networkRoot, 7n);
    get(worker, httpRoot, connection);
    worker.connect(networkRoot, 8n);
    expect(worker.receive(connection, GET)).toBe(GET);
  });
});

describe("on plain TCP", () => {
  test("nothing is touched, whatever the limit: no HTTP is known to follow", () => {
    const { worker, networkRoot } = setUp({ max_requests_per_connection: 1 });
    const connection = worker.connect(networkRoot, 7n);
    for (let i = 0; i < 5; i++) expect(worker.receive(connection, GET)).toBe(GET);
  });

  test("nothing is touched even where HTTP follows in another filter chain", () => {
    const { worker, networkRoot, httpRoot } = setUp({ max_requests_per_connection: 1 });
    const first = worker.connect(networkRoot, 7n, "http");
    expect(get(worker, httpRoot, first).passed).toBe(GET);
    expect(get(worker, httpRoot, worker.connect(networkRoot, 8n, "http")).passed).toBe(CLOSING);
    expect(worker.receive(worker.connect(networkRoot, 9n, "tcp"), GET)).toBe(GET);
  });
});

describe("drain", () => {
  test("lua leaves the bytes alone and marks", () => {
    const { worker, networkRoot, httpRoot } = setUp({ drain: "lua" });
    const connection = worker.connect(networkRoot, 7n);
    for (let i = 0; i < 2; i++) get(worker, httpRoot, connection);
    expect(get(worker, httpRoot, connection)).toEqual({ passed: GET, mark: "requests" });
  });

  test("network leaves HTTP/2 alone", () => {
    const { proxy, worker, networkRoot, httpRoot } = setUp({ drain: "network" });
    const connection = worker.connect(networkRoot, 7n);
    for (let i = 0; i < 5; i++) {
      expect(worker.receive(connection, GET)).toBe(GET);
      expect(worker.send(httpRoot, { connectionId: 7n, protocol: "HTTP/2" })).toBe(undefined);
    }
    worker.tick(httpRoot);
    expect(proxy.stat("evenkeel_drain_ignored")).toBe(0n);
  });

  test("auto marks HTTP/2, also where the network filter sees the connection", () => {
    const { worker, networkRoot, httpRoot } = setUp();
    const connection = worker.connect(networkRoot, 7n);
    const marks = [1, 2, 3].map(() => {
      worker.receive(connection, "frames");
      return worker.send(httpRoot, { connectionId: 7n, protocol: "HTTP/2" });
    });
    expect(marks).toEqual([undefined, undefined, "requests"]);
  });

  test("network without a network filter in the VM is counted as ignored and said once", () => {
    const { proxy, worker, httpRoot } = setUp(
      {},
      { drain: "network", max_requests_per_connection: 2, jitter_percent: 0 },
    );
    const marks = Array.from({ length: 4 }, () => worker.send(httpRoot, { connectionId: 7n }));
    expect(marks).toEqual(Array(4).fill(undefined));
    worker.tick(httpRoot);
    expect(proxy.stat("evenkeel_drain_ignored")).toBe(3n);
    expect(proxy.lines("warn")).toHaveLength(1);
    expect(proxy.lines("warn")[0]).toContain("same vm_id, vm_config and code");
  });

  test("requests that come behind an inserted header are counted as ignored", () => {
    const { proxy, worker, networkRoot, httpRoot } = setUp({ max_requests_per_connection: 2 });
    const connection = worker.connect(networkRoot, 7n);
    for (let i = 0; i < 2; i++) get(worker, httpRoot, connection);
    // Envoy dispatched it without passing the network filter.
    worker.send(httpRoot, { connectionId: 7n });
    worker.tick(httpRoot);
    expect(proxy.stat("evenkeel_drain_by_requests")).toBe(1n);
    expect(proxy.stat("evenkeel_drain_ignored")).toBe(1n);
  });
});

test("whatever the bytes and their pieces, the rest of the stream is unchanged", () => {
  const piece = fc.constantFrom(
    "GET",
    " ",
    "/",
    "HTTP/1.1",
    "\r\n",
    "\n",
    LINE,
    GET,
    "\0",
    "PRI * HTTP/2.0\r\n",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const { worker, networkRoot, httpRoot } = setUp({ max_requests_per_connection: 2 });
      const connection = worker.connect(networkRoot, 7n);
      get(worker, httpRoot, connection);
      let passed = "";
      for (const bytes of pieces) passed += worker.receive(connection, bytes) ?? "";
      passed += worker.receive(connection, "", true) ?? "";
      expect(passed.replace("proxy-connection: close\r\n", "")).toBe(pieces.join(""));
    }),
    { numRuns: 500 },
  );
});
