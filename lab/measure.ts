/** What a phase of the demonstration comes to. Pure: samples in, figures out. */

/** One observation: how many requests each Pod has answered so far. */
export interface Sample {
  /** Seconds since the service was scaled up. */
  at: number;
  pods: number[];
}

/** The busiest Pod may carry this many times its fair share and the load still counts as even. */
export const EVEN = 1.5;

/** Seconds over which a Pod's load is looked at; shorter is noise. */
const WINDOW = 1;

/** How uneven a set of loads is: the busiest over the mean; 1 is perfectly even. */
export function busiestOverMean(loads: number[]): number {
  const total = loads.reduce((sum, load) => sum + load, 0);
  return total === 0 ? 1 : (Math.max(...loads) * loads.length) / total;
}

/**
 * Seconds from the scale-up until the load was even and stayed so to the end of the phase, or `null`
 * if that never came.
 */
export function secondsUntilEven(samples: Sample[]): number | null {
  let since: number | null = null;
  for (const sample of samples) {
    const start = samples.findLast(({ at }) => at <= sample.at - WINDOW);
    if (!start) continue;
    const loads = sample.pods.map((count, pod) => count - start.pods[pod]!);
    if (busiestOverMean(loads) > EVEN) since = null;
    else since ??= sample.at;
  }
  return since;
}

/** Requests that each Pod answered after the scale-up. */
export function requestsAfterScaleUp(samples: Sample[]): number[] {
  const [first, last] = [samples.at(0), samples.at(-1)];
  if (!first || !last) return [];
  return last.pods.map((count, pod) => count - first.pods[pod]!);
}
