import { describe, expect, test } from "vitest";
import { Proxy } from "./emulator.js";

/** Host calls and allocations are exact, so they are asserted; times are not. */
describe("in steady state a request costs", () => {
  test("one property read and no other host call", () => {
    const worker = new Proxy().worker();
    const root = worker.configure()!;
    worker.send(root, { connectionId: 1n });
    worker.reset();
    for (let i = 0; i < 50; i++) worker.send(root, { connectionId: 1n });
    expect(worker.calls).toEqual(Array(50).fill("proxy_get_property"));
  });

  test("no allocation for what the host returns: it always lands in the same place", () => {
    const worker = new Proxy().worker();
    const root = worker.configure('{"max_requests_per_connection":2}')!;
    worker.reset();
    for (let i = 0; i < 50; i++) worker.send(root, { connectionId: BigInt(i >> 2) });
    expect(worker.rooms.size).toBe(1);
  });

  test("nothing at all where no connection has a limit", () => {
    const worker = new Proxy().worker();
    const root = worker.configure(
      '{"max_requests_per_connection":-1,"max_streams_per_connection":-1}',
    )!;
    worker.reset();
    for (let i = 0; i < 50; i++) worker.send(root, { connectionId: 1n });
    expect(worker.calls).toEqual([]);
  });

  test("a second property read for the first request of a connection: the protocol", () => {
    const worker = new Proxy().worker();
    const root = worker.configure()!;
    worker.reset();
    worker.send(root, { connectionId: 1n });
    expect(worker.calls).toEqual(["proxy_get_property", "proxy_get_property"]);
  });

  test("one call more on the closing request: the mark", () => {
    const worker = new Proxy().worker();
    const root = worker.configure('{"max_requests_per_connection":2,"jitter_percent":0}')!;
    worker.send(root, { connectionId: 1n });
    worker.reset();
    worker.send(root, { connectionId: 1n });
    expect(worker.calls).toEqual(["proxy_get_property", "proxy_set_property"]);
  });
});

describe("memory", () => {
  test("does not grow with requests, drains, connections, ignored drains or failed calls", () => {
    const worker = new Proxy().worker();
    const root = worker.configure(
      '{"max_requests_per_connection":2,"max_tracked_connections":64}',
    )!;
    const burst = () => {
      for (let i = 0; i < 100_000; i++) {
        worker.send(root, { connectionId: BigInt(i >> 2) });
        if (i % 1000 === 0) worker.tick(root);
      }
      worker.failing.set("proxy_set_property", 10);
      for (let i = 0; i < 10_000; i++) worker.send(root, { connectionId: 1n });
      worker.failing.clear();
      worker.reset();
    };
    burst();
    const size = worker.memorySize;
    burst();
    burst();
    expect(worker.memorySize).toBe(size);
  });

  test("does not grow with configurations, accepted or refused", () => {
    const worker = new Proxy().worker();
    const root = worker.configure()!;
    const load = () => {
      for (let i = 0; i < 200; i++) {
        worker.reconfigure(root, `{"max_requests_per_connection":${i + 1}}`);
        worker.reconfigure(root, `{"${"k".repeat(10_000)}":1}`);
        worker.reconfigure(root, "[".repeat(100_000));
      }
    };
    load();
    const size = worker.memorySize;
    load();
    load();
    expect(worker.memorySize).toBe(size);
  });

  test("grows by 32 bytes for each connection that may be tracked", () => {
    const size = (bound: number) => {
      const worker = new Proxy().worker();
      worker.configure(`{"max_tracked_connections":${bound}}`);
      return worker.memorySize;
    };
    const perConnection = (size(1_048_576) - size(8)) / 1_048_576;
    expect(perConnection).toBeGreaterThan(31);
    expect(perConnection).toBeLessThan(35);
  });
});
