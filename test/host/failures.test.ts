import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Proxy, WasmResult, type Worker } from "./emulator.js";

const LIMIT_2 = '{"max_requests_per_connection":2,"jitter_percent":0}';

function ready() {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const root = worker.configure(LIMIT_2)!;
  return { proxy, worker, root };
}

function send(worker: Worker, root: number, count: number): (string | undefined)[] {
  return Array.from({ length: count }, () => worker.send(root, { connectionId: 1n }));
}

describe("when the host does not tell", () => {
  test("the connection id, connections stay open, which is counted and said once", () => {
    const { proxy, worker, root } = ready();
    worker.failing.set("proxy_get_property", WasmResult.NotFound);
    expect(send(worker, root, 5)).toEqual(Array(5).fill(undefined));
    worker.tick(root);
    expect(proxy.stat("evenkeel_host_call_failed")).toBe(5n);
    expect(proxy.lines("warn")).toHaveLength(1);
    expect(proxy.lines("warn")[0]).toContain("connection_id");
  });

  test("the protocol, the higher of both limits applies", () => {
    const proxy = new Proxy();
    const worker = proxy.worker();
    const root = worker.configure(
      '{"max_requests_per_connection":2,"max_streams_per_connection":4,"jitter_percent":0}',
    )!;
    const marks = Array.from({ length: 4 }, () =>
      worker.send(root, { connectionId: 1n, protocol: "SPDY/3" }),
    );
    expect(marks).toEqual([undefined, undefined, undefined, "requests"]);
  });

  test("the time, requests are counted and the start is announced all the same", () => {
    const proxy = new Proxy();
    const worker = proxy.worker();
    worker.failing.set("proxy_get_current_time_nanoseconds", WasmResult.InternalFailure);
    const root = worker.configure(LIMIT_2)!;
    expect(send(worker, root, 2)).toEqual([undefined, "requests"]);
    worker.tick(root);
    expect(proxy.stat("evenkeel_requests")).toBe(2n);
    expect(proxy.lines("info")).toHaveLength(1);
  });

  test("the configuration, it is refused", () => {
    const proxy = new Proxy();
    const worker = proxy.worker();
    worker.failing.set("proxy_get_buffer_bytes", WasmResult.NotFound);
    expect(worker.configure(LIMIT_2)).toBe(null);
    expect(proxy.lines("error")).toEqual([
      "evenkeel: invalid config: the configuration could not be read from the host",
    ]);
  });
});

describe("when the host does not take", () => {
  test("the mark, the connection stays open and the next request asks again", () => {
    const { proxy, worker, root } = ready();
    worker.failing.set("proxy_set_property", WasmResult.InternalFailure);
    expect(send(worker, root, 3)).toEqual([undefined, undefined, undefined]);
    worker.failing.clear();
    expect(send(worker, root, 1)).toEqual(["requests"]);
    worker.tick(root);
    expect(proxy.stat("evenkeel_host_call_failed")).toBe(2n);
    expect(proxy.stat("evenkeel_drain_by_requests")).toBe(1n);
    expect(proxy.stat("evenkeel_drain_ignored")).toBe(0n);
    expect(proxy.lines("warn")).toHaveLength(1);
  });

  test.each([
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_log",
  ])("%s, connections are ended all the same", (call) => {
    const worker = new Proxy().worker();
    worker.failing.set(call, WasmResult.InternalFailure);
    const root = worker.configure(LIMIT_2)!;
    expect(send(worker, root, 2)).toEqual([undefined, "requests"]);
    worker.tick(root);
  });
});

test("a worker that loses the race to warn stays silent", () => {
  const { proxy, worker, root } = ready();
  worker.failing.set("proxy_set_shared_data", WasmResult.CasMismatch);
  send(worker, root, 5);
  expect(proxy.lines("warn")).toEqual([]);
});

describe("contexts that nobody announced", () => {
  test("a request on an unknown stream passes", () => {
    const { worker, root } = ready();
    worker.send(root, { connectionId: 1n });
    for (let i = 0; i < 5; i++) {
      expect(worker.requestHeaders(4711, { connectionId: 1n })).toBe(undefined);
    }
  });

  test("a stream of an unknown root context passes", () => {
    const { worker } = ready();
    expect(send(worker, 4711, 3)).toEqual([undefined, undefined, undefined]);
  });

  test("a stream of a root context whose configuration was refused passes", () => {
    const worker = new Proxy().worker();
    expect(worker.configure("[]")).toBe(null);
    expect(send(worker, 1, 3)).toEqual([undefined, undefined, undefined]);
  });

  test("a tick of an unknown root context does no harm", () => {
    const { worker, root } = ready();
    worker.tick(4711);
    expect(send(worker, root, 2)).toEqual([undefined, "requests"]);
  });
});

test("no sequence of callbacks, connections and failures traps", () => {
  const calls = [
    "proxy_get_property",
    "proxy_set_property",
    "proxy_get_header_map_value",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_increment_metric",
    "proxy_get_current_time_nanoseconds",
  ];
  const step = fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({ send: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), root: fc.nat(3) }),
    },
    {
      weight: 10,
      arbitrary: fc.record({ send: fc.bigInt({ min: 0n, max: 3n }), root: fc.nat(3) }),
    },
    fc.record({ tick: fc.nat(5) }),
    fc.record({
      configure: fc.constantFrom("", "{}", LIMIT_2, "[", '{"max_tracked_connections":1}'),
    }),
    fc.record({ fail: fc.constantFrom(...calls), status: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ jump: fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const proxy = new Proxy();
      const worker = proxy.worker();
      worker.configure(LIMIT_2);
      for (const step of steps) {
        if ("send" in step) worker.send(step.root, { connectionId: step.send });
        else if ("tick" in step) worker.tick(step.tick);
        else if ("configure" in step) worker.configure(step.configure);
        else if ("jump" in step) proxy.time += step.jump;
        else if (step.status === 0) worker.failing.delete(step.fail);
        else worker.failing.set(step.fail, step.status);
      }
      expect(proxy.lines("critical")).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
