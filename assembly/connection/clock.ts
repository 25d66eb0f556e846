/** Seconds by which one reading may move the clock, whatever the host's clock did. */
const MAX_STEP: u64 = 10;

/**
 * Counts seconds from readings of a wall clock that may step. A step back adds nothing; a step
 * forward adds at most `MAX_STEP`, so that setting the clock does not age every connection at once.
 */
export class Clock {
  /** Never 0: a record stamped 0 is free. */
  seconds: u32 = 1;
  private previous: u64 = 0;

  /** @param nanoseconds wall-clock time; read at least every `MAX_STEP` seconds. */
  advance(nanoseconds: u64): void {
    const now = nanoseconds / 1_000_000_000;
    if (this.previous != 0 && now > this.previous) {
      this.seconds += <u32>min(now - this.previous, MAX_STEP);
    }
    this.previous = now;
  }
}
