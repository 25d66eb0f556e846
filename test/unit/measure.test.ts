import { describe, expect, test } from "vitest";
import { busiestOverMean, requestsAfterScaleUp, secondsUntilEven } from "../../lab/measure.js";
import { bar } from "../../lab/report.js";

/** Samples every half second from the requests of each Pod in that half second. */
function samples(...loads: number[][]) {
  const pods = [100, 0, 0];
  const result = [{ at: 0, pods: [...pods] }];
  for (const [index, load] of loads.entries()) {
    load.forEach((count, pod) => (pods[pod]! += count));
    result.push({ at: (index + 1) / 2, pods: [...pods] });
  }
  return result;
}

describe("the load is even", () => {
  test.each([
    ["never, if one Pod carries everything", Array(8).fill([30, 0, 0]), null],
    ["after the first second, if it is from the start", Array(8).fill([10, 10, 10]), 1],
    [
      "from when no Pod carries more than 1.5 times its share of a second",
      [
        [30, 0, 0],
        [25, 5, 0],
        [10, 10, 10],
        [10, 10, 10],
        [10, 10, 10],
      ],
      2,
    ],
    [
      "not while it becomes uneven again",
      [
        [10, 10, 10],
        [10, 10, 10],
        [30, 0, 0],
        [30, 0, 0],
        [10, 10, 10],
        [10, 10, 10],
      ],
      3,
    ],
    [
      "never, if the end is uneven",
      [
        [10, 10, 10],
        [10, 10, 10],
        [30, 0, 0],
        [30, 0, 0],
      ],
      null,
    ],
    ["not known after less than a second", [[10, 10, 10]], null],
  ])("%s", (_sentence, loads, seconds) => {
    expect(secondsUntilEven(samples(...(loads as number[][])))).toBe(seconds);
  });
});

test("requests after the scale-up leave out what came before", () => {
  expect(requestsAfterScaleUp(samples([5, 2, 1], [5, 2, 1]))).toEqual([10, 4, 2]);
});

test.each([
  [[30, 0, 0], 3],
  [[10, 10, 10], 1],
  [[0, 0, 0], 1],
  [[15, 10, 5], 1.5],
])("busiest over mean of %j is %d", (loads, ratio) => {
  expect(busiestOverMean(loads)).toBe(ratio);
});

test("bars are drawn to an eighth of a block", () => {
  expect([0, 0.5, 1, 0.53, 7].map((share) => bar(share, 4))).toEqual([
    "",
    "██",
    "████",
    "██▏",
    "████",
  ]);
});
