/** What one VM, and so one worker thread, holds: its connections, its clock, its counts. */
import { currentTimeNanoseconds, UNKNOWN_CONNECTION } from "../abi/host";
import { ChainSet } from "../connection/chains";
import { Clock } from "../connection/clock";
import { ContextCache } from "../connection/contexts";
import { ConnectionTable } from "../connection/table";
import { Metrics } from "../metrics";
import { Roots } from "./roots";

/** Records looked at per tick for connections that must have ended; the default table in a minute. */
const EXPIRED_PER_TICK: i32 = 1024;

export class Worker {
  readonly roots: Roots = new Roots();
  readonly clock: Clock = new Clock();
  readonly metrics: Metrics = new Metrics();
  /** Sized when a configuration says how large; there are no requests before. */
  connections: ConnectionTable = new ConnectionTable(1, 0);
  /** Network contexts and their connections. */
  readonly contexts: ContextCache = new ContextCache();
  /** Filter chains in which HTTP follows on the network filter. */
  readonly httpFollows: ChainSet = new ChainSet();
  /**
   * The connection whose bytes have just passed the network filter and are to become a stream, or
   * `UNKNOWN_CONNECTION`.
   */
  dispatching: u64 = UNKNOWN_CONNECTION;
  /** Whether a network filter of this VM has ever seen a connection. */
  seesConnections: bool = false;
  private sized: bool = false;

  /** Fits the table of connections to what the configurations of this VM ask for. */
  resize(): void {
    const bound = this.roots.trackedBound;
    if (bound == 0) return;
    if (!this.sized) {
      this.connections = new ConnectionTable(bound, currentTimeNanoseconds());
      this.sized = true;
    } else {
      this.connections.resize(bound);
    }
  }

  tick(rootId: u32): void {
    this.clock.advance(currentTimeNanoseconds());
    if (this.roots.heard(rootId, this.clock.seconds)) this.resize();
    this.connections.expire(this.clock.seconds, EXPIRED_PER_TICK);
    this.metrics.flush(this.connections.tracked, this.connections.evicted);
  }
}
