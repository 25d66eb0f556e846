/** The limits of a configuration, and what they come to for one connection. */
import { Config } from "../config/config";
import { DrainMode, Key, UNLIMITED } from "../config/keys";
import { Protocol } from "../connection/protocol";

export class Limits {
  readonly maxRequests: i32;
  readonly maxStreams: i32;
  readonly jitterPercent: i32;
  readonly shadowMode: bool;
  readonly drain: DrainMode;

  constructor(config: Config) {
    this.maxRequests = config.integer(Key.MaxRequestsPerConnection);
    this.maxStreams = config.integer(Key.MaxStreamsPerConnection);
    this.jitterPercent = config.integer(Key.JitterPercent);
    this.shadowMode = config.boolean(Key.ShadowMode);
    this.drain = <DrainMode>config.integer(Key.Drain);
  }

  /** Whether no connection can ever reach a limit. */
  get isUnlimited(): bool {
    return this.maxRequests == UNLIMITED && this.maxStreams == UNLIMITED;
  }

  /** The limit of one connection: the configured one, lowered by the connection's jitter. */
  forConnection(protocol: Protocol, hash: u64): i32 {
    return jittered(this.forProtocol(protocol), this.jitterPercent, hash);
  }

  private forProtocol(protocol: Protocol): i32 {
    if (protocol == Protocol.Http1) return this.maxRequests;
    if (protocol != Protocol.Unknown) return this.maxStreams;
    // In doubt the connection stays open for longer.
    if (this.isUnlimited || this.maxRequests == UNLIMITED) return UNLIMITED;
    return this.maxStreams == UNLIMITED ? UNLIMITED : max(this.maxRequests, this.maxStreams);
  }
}

/**
 * A limit lowered by up to `percent` of it, by a share that depends only on the hash: even over
 * [limit - floor(limit * percent / 100), limit], and at least 1.
 */
export function jittered(limit: i32, percent: i32, hash: u64): i32 {
  if (limit == UNLIMITED || percent == 0) return limit;
  const span = (<u64>limit * <u64>percent) / 100;
  const lowered = ((hash & 0xffff_ffff) * (span + 1)) >>> 32;
  return max(limit - <i32>lowered, 1);
}
