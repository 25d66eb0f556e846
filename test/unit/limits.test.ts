import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadCore, Protocol } from "./core.js";

const core = loadCore();
const HIGHEST_HASH = 2n ** 64n - 1n;

describe("a connection's protocol chooses its limit", () => {
  const both =
    '{"max_requests_per_connection":7,"max_streams_per_connection":70,"jitter_percent":0}';
  test.each([
    ["HTTP/1.x follows max_requests_per_connection", both, Protocol.Http1, 7],
    ["HTTP/2 follows max_streams_per_connection", both, Protocol.Http2, 70],
    ["HTTP/3 follows max_streams_per_connection", both, Protocol.Http3, 70],
    ["in doubt the higher limit applies", both, Protocol.Unknown, 70],
    [
      "in doubt the higher limit applies, also when it is that of HTTP/1.x",
      '{"max_requests_per_connection":80,"max_streams_per_connection":70,"jitter_percent":0}',
      Protocol.Unknown,
      80,
    ],
    [
      "in doubt no limit is higher than any (requests)",
      '{"max_requests_per_connection":-1}',
      Protocol.Unknown,
      -1,
    ],
    [
      "in doubt no limit is higher than any (streams)",
      '{"max_streams_per_connection":-1}',
      Protocol.Unknown,
      -1,
    ],
  ])("%s", (_sentence, config, protocol, limit) => {
    expect(core.limit(config, protocol, HIGHEST_HASH)).toBe(limit);
  });
});

describe("jitter", () => {
  test.each([
    // limit, percent, hash, jittered limit
    ["no jitter is exact, whatever the hash", 100, 0, HIGHEST_HASH, 100],
    ["the lowest hash lowers by nothing", 100, 10, 0n, 100],
    ["the highest hash lowers by the whole span", 100, 10, HIGHEST_HASH, 90],
    ["the span is rounded down: 10 % of 19 is 1", 19, 10, HIGHEST_HASH, 18],
    ["a span below one request lowers nothing: 10 % of 9 is 0", 9, 10, HIGHEST_HASH, 9],
    ["a full span still leaves one request", 100, 100, HIGHEST_HASH, 1],
    ["a limit of 1 stays 1", 1, 100, HIGHEST_HASH, 1],
    ["no limit stays no limit", -1, 100, HIGHEST_HASH, -1],
    ["the largest limit does not overflow", 2 ** 31 - 1, 100, HIGHEST_HASH, 1],
  ])("%s", (_sentence, limit, percent, hash, jittered) => {
    expect(core.jittered(limit, percent, hash)).toBe(jittered);
  });

  test("keeps every limit within [limit - jitter, limit] and at least 1", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        fc.integer({ min: 0, max: 100 }),
        fc.bigInt({ min: 0n, max: HIGHEST_HASH }),
        (limit, percent, hash) => {
          const jittered = core.jittered(limit, percent, hash);
          expect(jittered).toBeLessThanOrEqual(limit);
          expect(jittered).toBeGreaterThanOrEqual(
            Math.max(1, limit - Math.floor((limit * percent) / 100)),
          );
        },
      ),
    );
  });

  test("spreads the limits of successive connections evenly", () => {
    const connections = 110_000;
    const counts = new Map<number, number>();
    for (let id = 0; id < connections; id++) {
      const limit = core.jittered(100, 10, core.hashConnection(BigInt(id), 42n));
      counts.set(limit, (counts.get(limit) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([
      90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100,
    ]);
    // 10,000 each; five standard deviations of a fair draw are 477.
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  test("differs between proxies: their seeds give the same connection id other limits", () => {
    const limits = (seed: bigint) =>
      Array.from({ length: 100 }, (_, id) =>
        core.jittered(1000, 50, core.hashConnection(BigInt(id), seed)),
      );
    const equal = limits(1n).filter((limit, id) => limit === limits(2n)[id]);
    expect(equal.length).toBeLessThan(10);
  });
});
