import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { loadCore, Protocol } from "./core.js";

const core = loadCore();
const HOUR = 3600;

beforeEach(() => {
  core.newTable(64, 7n);
});

describe("counting", () => {
  test("a connection's requests add up", () => {
    expect([core.request(5n, 1, 1), core.request(5n, 1, 1), core.request(5n, 1, 1)]).toEqual([
      1, 2, 3,
    ]);
  });

  test("interleaved connections count apart", () => {
    expect([5n, 6n, 5n, 6n, 6n].map((id) => core.request(id, 1, 1))).toEqual([1, 1, 2, 2, 3]);
  });

  test("connection 0, Envoy's first, is a connection like any other", () => {
    expect([core.request(0n, 1, 1), core.request(0n, 1, 1)]).toEqual([1, 2]);
    expect(core.tracked()).toBe(1);
  });

  test("ids are told apart by all of their 64 bits", () => {
    core.request(1n, 1, 1);
    expect(core.request(1n + 2n ** 32n, 1, 1)).toBe(1);
    expect(core.request(1n + 2n ** 63n, 1, 1)).toBe(1);
  });

  test("a count stays at its maximum and does not start again", () => {
    core.request(5n, 1, 2 ** 32 - 2);
    expect([core.request(5n, 1, 1), core.request(5n, 1, 1)]).toEqual([2 ** 32 - 1, 2 ** 32 - 1]);
  });

  test("protocol, drain and count of a record do not disturb each other", () => {
    core.request(5n, 1, 3);
    core.setProtocol(5n, Protocol.Http2);
    core.setDrainAsked(5n, 1);
    core.request(5n, 1, 2 ** 32 - 1);
    expect(core.protocol(5n)).toBe(Protocol.Http2);
    expect(core.drainAsked(5n)).toBe(1);
    expect(core.spent(5n, 1)).toBe(2 ** 32 - 1);
    core.setProtocol(5n, Protocol.Http1);
    expect(core.protocol(5n)).toBe(Protocol.Http1);
    expect(core.drainAsked(5n)).toBe(1);
  });
});

describe("the bound", () => {
  test.each([
    [1, 1],
    [7, 7],
    [8, 8],
    [9, 8],
    [65_536, 65_536],
    [1_048_576, 1_048_576],
  ])("of %i makes room for %i connections", (bound, capacity) => {
    core.newTable(bound, 7n);
    expect(core.capacity()).toBe(capacity);
  });

  test("a full table forgets the connection that was unused for longest", () => {
    core.newTable(3, 7n);
    for (const id of [1n, 2n, 3n, 1n]) core.request(id, 1, 1);
    core.request(4n, 1, 1);
    expect(core.spent(1n, 1)).toBe(2);
    expect(core.spent(3n, 1)).toBe(1);
    expect(core.evicted()).toBe(1n);
    expect(core.spent(2n, 1)).toBe(0);
  });

  test("recency counts seconds before order", () => {
    core.newTable(2, 7n);
    core.request(1n, 9, 1);
    core.request(2n, 8, 1);
    core.request(3n, 9, 1);
    expect(core.spent(1n, 9)).toBe(1);
    expect(core.spent(2n, 9)).toBe(0);
  });

  test("a flood of connections costs no more than the table", () => {
    for (let id = 0n; id < 10_000n; id++) core.request(id, 1, 1);
    expect(core.tracked()).toBe(64);
    expect(core.evicted()).toBe(10_000n - 64n);
  });

  test("a table filled to half forgets less than 1 % of the connections in use", () => {
    core.newTable(65_536, 7n);
    for (let id = 0n; id < 32_768n; id++) core.request(id, 1, 1);
    expect(Number(core.evicted())).toBeLessThan(0.01 * 32_768);
  });

  test("whatever happens, counts are those of a plain map until something is forgotten", () => {
    const id = fc.bigInt({ min: 0n, max: 12n });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(id), (bound, ids) => {
        core.newTable(bound, 3n);
        const model = new Map<bigint, number>();
        for (const id of ids) {
          const evicted = core.evicted();
          const spent = core.request(id, 1, 1);
          const expected = (model.get(id) ?? 0) + 1;
          if (core.evicted() === 0n) expect(spent).toBe(expected);
          else expect(spent).toBeLessThanOrEqual(expected);
          if (core.evicted() > evicted) expect(spent).toBe(1);
          model.set(id, spent);
          expect(core.tracked()).toBeLessThanOrEqual(core.capacity());
        }
      }),
    );
  });
});

describe("a changed bound", () => {
  test("keeps every count when the table grows", () => {
    core.newTable(8, 7n);
    for (let id = 0n; id < 8n; id++) core.request(id, 1, Number(id) + 1);
    core.resizeTable(1024);
    for (let id = 0n; id < 8n; id++) expect(core.spent(id, 1)).toBe(Number(id) + 1);
    expect(core.tracked()).toBe(8);
    expect(core.evicted()).toBe(0n);
  });

  test("keeps the most recently used when the table shrinks", () => {
    for (let id = 0n; id < 20n; id++) core.request(id, Number(id) + 1, 1);
    core.resizeTable(4);
    expect(core.tracked()).toBe(4);
    expect(core.evicted()).toBe(16n);
    for (const id of [19n, 18n, 17n, 16n]) expect(core.spent(id, 21)).toBe(1);
  });
});

test("a table that shrinks to one record keeps the connection used last, wherever it was", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 1 }),
      (ids) => {
        core.newTable(1024, 7n);
        for (const id of ids) core.request(id, 1, 1);
        core.resizeTable(1);
        expect(core.spent(ids.at(-1)!, 1)).toBe(1);
        expect(core.tracked()).toBe(1);
      },
    ),
  );
});

describe("connections that must have ended", () => {
  test("are forgotten after an hour without a request", () => {
    core.request(5n, 10, 1);
    core.expire(10 + HOUR - 1, 64);
    expect(core.tracked()).toBe(1);
    core.expire(10 + HOUR, 64);
    expect(core.tracked()).toBe(0);
    expect(core.evicted()).toBe(0n);
  });

  test("are forgotten a minute after a drain was asked for", () => {
    core.request(5n, 10, 1);
    core.setDrainAsked(5n, 10);
    core.expire(69, 64);
    expect(core.tracked()).toBe(1);
    core.expire(70, 64);
    expect(core.tracked()).toBe(0);
  });

  test("are found a few records at a time, so that one call is short", () => {
    for (let id = 0n; id < 40n; id++) core.request(id, 1, 1);
    const before = core.tracked();
    core.expire(1 + HOUR, 8);
    expect(core.tracked()).toBeGreaterThanOrEqual(before - 8);
    for (let i = 0; i < 7; i++) core.expire(1 + HOUR, 8);
    expect(core.tracked()).toBe(0);
  });
});

describe("the clock", () => {
  const SECOND = 1_000_000_000n;
  const start = 1_790_000_000n * SECOND;

  test.each([
    ["counts the seconds that pass", [0n, 1n, 2n, 5n], [1, 2, 3, 6]],
    ["stands while a second is not over", [0n, 0n], [1, 1]],
    ["does not follow a step back", [0n, 5n, -3600n, -3599n], [1, 6, 6, 7]],
    ["follows a step forward by ten seconds only", [0n, 1n, 86_400n, 86_401n], [1, 2, 12, 13]],
  ])("%s", (_sentence, readings, seconds) => {
    core.newClock();
    expect(readings.map((reading) => core.advanceClock(start + reading * SECOND))).toEqual(seconds);
  });
});
