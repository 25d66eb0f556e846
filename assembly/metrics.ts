/**
 * What evenkeel counts. A request only adds to a number in this VM; `flush`, on a tick, hands the
 * differences to Envoy, where they appear as `wasmcustom.evenkeel_*`, summed over all workers.
 */
import { MetricType } from "./abi/enums";
import { defineMetric, incrementMetric, UNDEFINED_METRIC } from "./abi/host";

/** One of Envoy's statistics and what it does not know of yet. */
class Metric {
  value: i64 = 0;
  private id: u32 = UNDEFINED_METRIC;
  private flushed: i64 = 0;

  constructor(
    private readonly type: MetricType,
    private readonly name: string,
  ) {}

  define(): void {
    if (this.id == UNDEFINED_METRIC) this.id = defineMetric(this.type, "evenkeel_" + this.name);
  }

  flush(): void {
    if (this.value == this.flushed) return;
    if (incrementMetric(this.id, this.value - this.flushed)) this.flushed = this.value;
  }
}

export class Metrics {
  private readonly tracked: Metric = new Metric(MetricType.Gauge, "connections_tracked");
  private readonly evicted: Metric = new Metric(MetricType.Counter, "connections_evicted");
  private readonly requests: Metric = new Metric(MetricType.Counter, "requests");
  private readonly drainByRequests: Metric = new Metric(MetricType.Counter, "drain_by_requests");
  private readonly shadowDrainByRequests: Metric = new Metric(
    MetricType.Counter,
    "shadow_drain_by_requests",
  );
  private readonly drainIgnored: Metric = new Metric(MetricType.Counter, "drain_ignored");
  private readonly hostCallFailed: Metric = new Metric(MetricType.Counter, "host_call_failed");
  private readonly all: Metric[] = [
    this.tracked,
    this.evicted,
    this.requests,
    this.drainByRequests,
    this.shadowDrainByRequests,
    this.drainIgnored,
    this.hostCallFailed,
  ];

  /** Makes the statistics known to the host, which shows them with value 0 from then on. */
  define(): void {
    for (let i = 0; i < this.all.length; i++) this.all[i].define();
  }

  countRequest(): void {
    this.requests.value++;
  }

  /** A connection was told to end because it has had its number of requests. */
  countDrainByRequests(): void {
    this.drainByRequests.value++;
  }

  /** The same in shadow mode: it was not told. */
  countShadowDrainByRequests(): void {
    this.shadowDrainByRequests.value++;
  }

  /** A request came on an HTTP/1.x connection that was told to end before. */
  countDrainIgnored(): void {
    this.drainIgnored.value++;
  }

  /** The host refused a call that a request needed; the connection stayed open. */
  countHostCallFailed(): void {
    this.hostCallFailed.value++;
  }

  /** @param tracked connections now; @param evicted connections since the VM started */
  flush(tracked: i32, evicted: u64): void {
    this.tracked.value = tracked;
    this.evicted.value = evicted;
    for (let i = 0; i < this.all.length; i++) this.all[i].flush();
  }
}
