import { setTimeout as sleep } from "node:timers/promises";
import { Clients } from "./clients.js";
import { requestsAfterScaleUp, type Sample, secondsUntilEven } from "./measure.js";
import { Service } from "./service.js";

/** Seconds with one Pod, and then with all of them. */
const ALONE = 2;
const SCALED = 6;

/** Seconds between two looks at the Pods. */
const INTERVAL = 0.25;

export interface PhaseResult {
  evenkeel: boolean;
  /** Per Pod, after the scale-up. */
  requests: number[];
  reconnects: number;
  failed: number;
  /** `null` if the load never became even. */
  seconds_until_even: number | null;
}

export interface PhaseOptions {
  limit: number | null;
  http2: boolean;
  signal: AbortSignal;
  /** Called at every look at the Pods, with the requests of each since the one before. */
  onProgress: (seconds: number, pods: number[], scaled: boolean) => void;
}

/** Runs clients against a service that scales from one Pod to all of them. */
export async function runPhase(options: PhaseOptions): Promise<PhaseResult> {
  const service = await Service.start(options);
  const clients = new Clients(service.port, options.http2);
  const samples: Sample[] = [];
  try {
    const start = performance.now();
    let connects = 0;
    let scaledAt: number | null = null;
    let previous = service.requests;
    for (let look = 1; look * INTERVAL <= ALONE + SCALED; look++) {
      const wait = start + look * INTERVAL * 1000 - performance.now();
      await sleep(Math.max(0, wait), undefined, { signal: options.signal });
      const now = (performance.now() - start) / 1000;
      const { requests } = service;
      if (scaledAt !== null) samples.push({ at: now - scaledAt, pods: requests });
      options.onProgress(
        now,
        requests.map((count, pod) => count - previous[pod]!),
        scaledAt !== null,
      );
      previous = requests;
      if (scaledAt === null && now >= ALONE) {
        await service.scaleUp();
        scaledAt = now;
        connects = clients.connects;
        samples.push({ at: 0, pods: requests });
      }
    }
    const reconnects = clients.connects - connects;
    await clients.stop();
    for (const failure of new Set(clients.failures)) console.error(failure);
    return {
      evenkeel: options.limit !== null,
      requests: requestsAfterScaleUp(samples),
      reconnects,
      failed: clients.failures.length,
      seconds_until_even: secondsUntilEven(samples),
    };
  } finally {
    await clients.stop();
    await service.stop();
  }
}
