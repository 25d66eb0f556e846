import { expect, test } from "vitest";
import { Proxy } from "./emulator.js";

const STARTED =
  'evenkeel 0.1.0 started: {"max_requests_per_connection":100,"max_streams_per_connection":1000,"jitter_percent":10,"shadow_mode":false,"max_tracked_connections":65536,"drain":"auto"}';

test("one info line says version and effective configuration, however many workers start", () => {
  const proxy = new Proxy();
  for (let i = 0; i < 4; i++) proxy.worker().configure();
  expect(proxy.log).toEqual([{ level: "info", message: STARTED }]);
});

test("another configuration has a line of its own, and so has a roll-back", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  worker.configure();
  worker.configure('{"shadow_mode":true}');
  proxy.time += 61_000_000_000n;
  worker.configure();
  expect(proxy.lines("info").map((line) => line.includes('"shadow_mode":true'))).toEqual([
    false,
    true,
    false,
  ]);
});

test("a refused configuration is one error line and no start", () => {
  const proxy = new Proxy();
  expect(proxy.worker().configure('{"max_requests_per_connection": 0}')).toBe(null);
  expect(proxy.log).toEqual([
    {
      level: "error",
      message:
        "evenkeel: invalid config: max_requests_per_connection must be -1 (never) or an integer from 1 to 2147483647, got 0",
    },
  ]);
});

test("a configuration beyond 4 MiB is refused before it is read", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  worker.reset();
  expect(worker.configure(" ".repeat(4 * 2 ** 20 + 1))).toBe(null);
  expect(worker.calls).toEqual(["proxy_log"]);
});

test("requests are not logged", () => {
  const proxy = new Proxy();
  const worker = proxy.worker();
  const root = worker.configure('{"max_requests_per_connection":1}')!;
  const before = proxy.log.length;
  for (let id = 0n; id < 100n; id++) worker.send(root, { connectionId: id });
  expect(proxy.log.length).toBe(before);
});
