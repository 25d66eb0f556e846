import { expect, test } from "vitest";
import { Proxy } from "./emulator.js";

const LIMIT_2 =
  '{"max_requests_per_connection":2,"max_streams_per_connection":2,"jitter_percent":0}';

test("statistics exist with value 0 before the first request", () => {
  const proxy = new Proxy();
  proxy.worker().configure();
  expect([...proxy.metrics].map(([name, { type, value }]) => [name, type, value])).toEqual([
    ["evenkeel_connections_tracked", "gauge", 0n],
    ["evenkeel_connections_evicted", "counter", 0n],
    ["evenkeel_requests", "counter", 0n],
    ["evenkeel_drain_by_requests", "counter", 0n],
    ["evenkeel_shadow_drain_by_requests", "counter", 0n],
    ["evenkeel_drain_ignored", "counter", 0n],
    ["evenkeel_host_call_failed", "counter", 0n],
  ]);
});

test("statistics are flushed on a tick and add up over all workers", () => {
  const proxy = new Proxy();
  for (const worker of [proxy.worker(), proxy.worker()]) {
    const root = worker.configure(LIMIT_2)!;
    for (let i = 0; i < 2; i++) worker.send(root, { connectionId: 1n });
    worker.send(root, { connectionId: 2n });
    worker.tick(root);
  }
  expect(proxy.stat("evenkeel_requests")).toBe(6n);
  expect(proxy.stat("evenkeel_connections_tracked")).toBe(4n);
  expect(proxy.stat("evenkeel_drain_by_requests")).toBe(2n);
});

test("several root contexts in one VM count nothing twice", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const roots = [worker.configure(LIMIT_2)!, worker.configure()!];
  for (const root of roots) worker.send(root, { connectionId: BigInt(root) });
  for (const root of [...roots, ...roots]) worker.tick(root);
  expect(proxy.stat("evenkeel_requests")).toBe(2n);
  expect(proxy.stat("evenkeel_connections_tracked")).toBe(2n);
});

test("a tick without news makes no statistics call", () => {
  const worker = new Proxy().worker();
  const root = worker.configure(LIMIT_2)!;
  worker.send(root, { connectionId: 1n });
  worker.tick(root);
  worker.reset();
  worker.tick(root);
  expect(worker.calls).toEqual(["proxy_get_current_time_nanoseconds"]);
});

test("a flush that the host refuses is made up for later", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const root = worker.configure(LIMIT_2)!;
  worker.send(root, { connectionId: 1n });
  worker.failing.set("proxy_increment_metric", 10);
  worker.tick(root);
  expect(proxy.stat("evenkeel_requests")).toBe(0n);
  worker.failing.clear();
  worker.send(root, { connectionId: 1n });
  worker.tick(root);
  expect(proxy.stat("evenkeel_requests")).toBe(2n);
});

test("forgotten connections are counted as evicted", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const root = worker.configure('{"max_tracked_connections":2}')!;
  for (let id = 0n; id < 5n; id++) worker.send(root, { connectionId: id });
  worker.tick(root);
  expect(proxy.stat("evenkeel_connections_tracked")).toBe(2n);
  expect(proxy.stat("evenkeel_connections_evicted")).toBe(3n);
});

test("when the configuration with the largest table is gone, the table shrinks to what is left", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const large = worker.configure('{"max_tracked_connections":64}')!;
  const small = worker.configure('{"max_tracked_connections":2}')!;
  for (let id = 0n; id < 10n; id++) worker.send(large, { connectionId: id });
  for (let i = 0; i < 100; i++) worker.tick(small);
  expect(proxy.stat("evenkeel_connections_tracked")).toBe(10n);
  for (let i = 0; i < 5; i++) worker.tick(small);
  expect(proxy.stat("evenkeel_connections_tracked")).toBe(2n);
});

test("connections that were told to end are forgotten after a minute, others after an hour", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const root = worker.configure(
    '{"max_requests_per_connection":2,"jitter_percent":0,"max_tracked_connections":64}',
  )!;
  for (const connectionId of [1n, 1n, 2n]) worker.send(root, { connectionId });
  const after = (seconds: number) => {
    for (let i = 0; i < seconds; i++) worker.tick(root);
    return proxy.stat("evenkeel_connections_tracked");
  };
  expect(after(59)).toBe(2n);
  expect(after(2)).toBe(1n);
  expect(after(3530)).toBe(1n);
  expect(after(30)).toBe(0n);
  expect(proxy.stat("evenkeel_connections_evicted")).toBe(0n);
});

test("a missing helper shows as drain_ignored for HTTP/1.x, with one warning for all workers", () => {
  const proxy = new Proxy();
  for (const worker of [proxy.worker(), proxy.worker()]) {
    const root = worker.configure(LIMIT_2)!;
    for (let i = 0; i < 5; i++) worker.send(root, { connectionId: 1n });
    worker.tick(root);
  }
  expect(proxy.stat("evenkeel_drain_by_requests")).toBe(2n);
  expect(proxy.stat("evenkeel_drain_ignored")).toBe(6n);
  expect(proxy.lines("warn")).toHaveLength(1);
  expect(proxy.lines("warn")[0]).toContain("install the drain helper");
});

test("streams that follow on HTTP/2 are no sign of a missing helper", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const root = worker.configure(LIMIT_2)!;
  for (let i = 0; i < 5; i++) worker.send(root, { connectionId: 1n, protocol: "HTTP/2" });
  worker.tick(root);
  expect(proxy.stat("evenkeel_drain_by_requests")).toBe(1n);
  expect(proxy.stat("evenkeel_drain_ignored")).toBe(0n);
  expect(proxy.lines("warn")).toEqual([]);
});

test("a request that Envoy sends through the filters again is no sign of a missing helper", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const root = worker.configure(LIMIT_2)!;
  const headers = { "x-envoy-original-url": "http://a/" };
  for (let i = 0; i < 2; i++) worker.send(root, { connectionId: 1n });
  expect(worker.send(root, { connectionId: 1n, headers })).toBe("requests");
  worker.tick(root);
  expect(proxy.stat("evenkeel_drain_ignored")).toBe(0n);
});
