import { describe, expect, test } from "vitest";
import { Proxy, type Worker } from "./emulator.js";

const LIMIT_3 =
  '{"max_requests_per_connection":3,"max_streams_per_connection":5,"jitter_percent":0}';

/** Sends requests on one connection and returns the mark of each, "-" for none. */
function send(worker: Worker, root: number, count: number, connectionId = 1n, protocol?: string) {
  return Array.from(
    { length: count },
    () => worker.send(root, { connectionId, protocol }) ?? "-",
  ).join(" ");
}

describe("the mark", () => {
  test.each([
    ["limit 1 marks every request", 1, "requests requests requests"],
    ["limit 2 marks the second request and asks again", 2, "- requests requests"],
    ["limit 3 marks the third request", 3, "- - requests"],
    ["limit -1 marks none", -1, "- - -"],
  ])("%s", (_sentence, limit, marks) => {
    const worker = new Proxy().worker();
    const root = worker.configure(
      `{"max_requests_per_connection":${limit},"max_streams_per_connection":${limit},"jitter_percent":0}`,
    )!;
    expect(send(worker, root, 3)).toBe(marks);
  });

  test.each([
    ["HTTP/1.0", "- - requests"],
    ["HTTP/1.1", "- - requests"],
    ["HTTP/2", "- - - - requests"],
    ["HTTP/3", "- - - - requests"],
  ])("comes at the limit of the protocol: %s", (protocol, marks) => {
    const worker = new Proxy().worker();
    const root = worker.configure(LIMIT_3)!;
    expect(send(worker, root, marks.split(" ").length, 1n, protocol)).toBe(marks);
  });

  test("comes at the 100th request of HTTP/1.1 and the 1000th stream of HTTP/2 by default", () => {
    const worker = new Proxy().worker();
    const root = worker.configure()!;
    const first = (protocol: string, id: bigint) =>
      send(worker, root, 1000, id, protocol).split(" ").indexOf("requests") + 1;
    for (let id = 0n; id < 20n; id++) {
      expect(first("HTTP/1.1", id)).toBeGreaterThanOrEqual(90);
      expect(first("HTTP/1.1", 100n + id)).toBeLessThanOrEqual(100);
      expect(first("HTTP/2", 200n + id)).toBeGreaterThanOrEqual(900);
    }
  });

  test("comes for each of two interleaved connections at its own third request", () => {
    const worker = new Proxy().worker();
    const root = worker.configure(LIMIT_3)!;
    const marks = [1n, 2n, 1n, 2n, 2n, 1n].map((id) => worker.send(root, { connectionId: id }));
    expect(marks).toEqual([undefined, undefined, undefined, undefined, "requests", "requests"]);
  });

  test("does not come in shadow mode, which counts what it would have ended, once each", () => {
    const proxy = new Proxy();
    const worker = proxy.worker();
    const root = worker.configure(
      '{"max_requests_per_connection":2,"jitter_percent":0,"shadow_mode":true}',
    )!;
    expect(send(worker, root, 5)).toBe("- - - - -");
    worker.tick(root);
    expect(proxy.stat("evenkeel_shadow_drain_by_requests")).toBe(1n);
    expect(proxy.stat("evenkeel_drain_by_requests")).toBe(0n);
    expect(proxy.stat("evenkeel_drain_ignored")).toBe(0n);
  });
});

describe("several configurations in one VM", () => {
  test("each stream follows its own root context", () => {
    const worker = new Proxy().worker();
    const two = worker.configure('{"max_requests_per_connection":2,"jitter_percent":0}')!;
    const never = worker.configure('{"max_requests_per_connection":-1}')!;
    const marks = [two, never, never, two, never].map((root) =>
      worker.send(root, { connectionId: BigInt(root) }),
    );
    expect(marks).toEqual([undefined, undefined, undefined, "requests", undefined]);
  });

  test("a new configuration keeps the counts of open connections and applies to them", () => {
    const worker = new Proxy().worker();
    const old = worker.configure('{"max_requests_per_connection":100,"jitter_percent":0}')!;
    send(worker, old, 4);
    const changed = worker.configure(
      '{"max_requests_per_connection":5,"jitter_percent":0,"max_tracked_connections":1000}',
    )!;
    expect(worker.send(changed, { connectionId: 1n })).toBe("requests");
  });

  test("when shadow mode ends, connections beyond their limit are told to end as any other", () => {
    const proxy = new Proxy();
    const worker = proxy.worker();
    const shadow = worker.configure(
      '{"max_requests_per_connection":2,"jitter_percent":0,"shadow_mode":true}',
    )!;
    expect(send(worker, shadow, 3)).toBe("- - -");
    const live = worker.configure('{"max_requests_per_connection":2,"jitter_percent":0}')!;
    expect(send(worker, live, 1)).toBe("requests");
    worker.tick(live);
    expect(proxy.stat("evenkeel_shadow_drain_by_requests")).toBe(1n);
    expect(proxy.stat("evenkeel_drain_by_requests")).toBe(1n);
    expect(proxy.stat("evenkeel_drain_ignored")).toBe(0n);
    expect(proxy.lines("warn")).toEqual([]);
  });

  test("a refused update leaves the running configuration in force", () => {
    const worker = new Proxy().worker();
    const root = worker.configure('{"max_requests_per_connection":2,"jitter_percent":0}')!;
    expect(worker.reconfigure(root, '{"max_requests_per_connection":0}')).toBe(false);
    expect(send(worker, root, 2)).toBe("- requests");
  });

  test("root contexts of former configurations are dropped, the living ones are not", () => {
    const proxy = new Proxy();
    const worker = proxy.worker();
    const quiet = worker.configure(
      '{"max_requests_per_connection":2,"jitter_percent":0,"max_tracked_connections":8}',
    )!;
    const update = () => {
      for (let limit = 11; limit <= 2010; limit++) {
        const newest = worker.configure(
          `{"max_requests_per_connection":${limit},"max_tracked_connections":8}`,
        )!;
        worker.tick(newest);
        worker.tick(quiet);
      }
    };
    update();
    const size = worker.memorySize;
    for (let i = 0; i < 5; i++) update();
    expect(worker.memorySize).toBe(size);
    expect(send(worker, quiet, 2)).toBe("- requests");
  });
});

describe("jitter", () => {
  test("gives each connection a limit within [limit - jitter, limit] that stays the same", () => {
    const worker = new Proxy().worker();
    const root = worker.configure('{"max_requests_per_connection":20,"jitter_percent":50}')!;
    const limits = Array.from({ length: 500 }, (_, id) => {
      const marks = send(worker, root, 22, BigInt(id)).split(" ");
      const first = marks.indexOf("requests");
      expect(marks.slice(first).every((mark) => mark === "requests")).toBe(true);
      return first + 1;
    });
    expect([...new Set(limits)].sort((a, b) => a - b)).toEqual([
      10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
    ]);
  });

  test("gives a forgotten connection the same limit again", () => {
    const worker = new Proxy().worker();
    const root = worker.configure(
      '{"max_requests_per_connection":20,"jitter_percent":50,"max_tracked_connections":1}',
    )!;
    const limit = (id: bigint) => send(worker, root, 20, id).split(" ").indexOf("requests");
    const first = limit(1n);
    limit(2n);
    expect(limit(1n)).toBe(first);
  });
});
