/**
 * Log lines that appear once, though every worker thread has a reason to write them. Worker VMs
 * share nothing but Envoy's shared data, which is keyed by `vm_id`.
 */
import { LogLevel } from "../abi/enums";
import { currentTimeNanoseconds, log, setSharedU64, sharedU64 } from "../abi/host";

const KEY_PREFIX = "evenkeel.logged.";

/** A message that appears once, whichever worker has it first. */
export class Announcement {
  private readonly key: string;

  constructor(
    private readonly level: LogLevel,
    private readonly message: string,
  ) {
    this.key = KEY_PREFIX + message;
  }

  /**
   * Stores the key, so that of several workers that announce at once just one wins: the host
   * compares versions only for keys that exist. Envoy configures a throw-away VM before any worker,
   * so the first one to call this is alone.
   */
  prepare(): void {
    if (sharedU64(this.key) == null) setSharedU64(this.key, 0, 0);
  }

  /**
   * Logs the message, unless a worker did so less than `repeatAfter` nanoseconds ago. Not for the
   * hot path: it allocates and takes a lock of the host.
   */
  log(repeatAfter: u64): void {
    const now = currentTimeNanoseconds();
    const shared = sharedU64(this.key);
    if (shared != null) {
      if (shared.value != 0 && now - shared.value < repeatAfter) return;
      // A lost race means that another worker is just logging it.
      if (!setSharedU64(this.key, now, shared.cas)) return;
    }
    log(this.level, this.message);
  }
}

/** A warning that appears once while the proxy runs. */
export class Warning {
  private readonly announcement: Announcement;
  private given: bool = false;

  constructor(message: string) {
    this.announcement = new Announcement(LogLevel.Warn, message);
  }

  prepare(): void {
    this.announcement.prepare();
  }

  /** Costs nothing after the first time. */
  give(): void {
    if (this.given) return;
    this.given = true;
    this.announcement.log(u64.MAX_VALUE);
  }
}
