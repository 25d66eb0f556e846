import { expect, test } from "vitest";
import { loadCore } from "./core.js";

const KEEP = 0;
const DRAIN_BY_REQUESTS = 1;
const WOULD_DRAIN_BY_REQUESTS = 2;

const UNLIMITED = -1;
const MOST = 2 ** 32 - 1;

test.each([
  // spent, limit, shadow mode, decision
  ["the first request of three keeps the connection", 1, 3, false, KEEP],
  ["the request before the last keeps it", 2, 3, false, KEEP],
  ["the Nth request is the last", 3, 3, false, DRAIN_BY_REQUESTS],
  ["a request behind the last asks again", 4, 3, false, DRAIN_BY_REQUESTS],
  ["a limit of 1 ends every connection after one response", 1, 1, false, DRAIN_BY_REQUESTS],
  ["the default limit keeps the 99th request", 99, 100, false, KEEP],
  ["the default limit ends with the 100th request", 100, 100, false, DRAIN_BY_REQUESTS],
  ["an unlimited connection is kept at its first request", 1, UNLIMITED, false, KEEP],
  ["an unlimited connection is kept for good", MOST, UNLIMITED, false, KEEP],
  ["a count beyond 31 bits is beyond every limit", MOST, 2 ** 31 - 1, false, DRAIN_BY_REQUESTS],
  ["shadow mode keeps what is below the limit", 2, 3, true, KEEP],
  ["shadow mode only says what it would have ended", 3, 3, true, WOULD_DRAIN_BY_REQUESTS],
  ["shadow mode vs no limit: nothing to say", MOST, UNLIMITED, true, KEEP],
])("%s", (_sentence, spent, limit, shadowMode, decision) => {
  expect(loadCore().decide(spent, limit, shadowMode)).toBe(decision);
});
