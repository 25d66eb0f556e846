/**
 * What is known of each downstream connection. The HTTP filter gets no event when a connection
 * closes, so the table is bounded and forgets: set-associative, the least recently used record of a
 * set makes room. No lists, no allocation, nothing fails because it is full.
 *
 *   set = hash -> WAYS records of four words each
 *
 *   word 0  connection id
 *   word 1  last use:  seconds (high 32) | sequence (low 32);  0 = the record is free
 *   word 2  bit 63..40 unused | 39 shadow drain | 38 stream to come | 37 header inserted |
 *           36 message start | 35 network filter | 34 drain asked | 33..32 protocol | 31..0 spent
 *   word 3  bit 31..0 root context of the network filter
 */
import { hashConnection } from "./hash";
import { Protocol } from "./protocol";

const WORDS: i32 = 4;
const WAYS: i32 = 8;

const SPENT: u64 = 0xffff_ffff;
const PROTOCOL_SHIFT: u64 = 32;
const PROTOCOL: u64 = 0b11 << PROTOCOL_SHIFT;
const DRAIN_ASKED: u64 = 1 << 34;
/** A network filter of ours sees this connection's bytes, and tells when it closes. */
const NETWORK_FILTER: u64 = 1 << 35;
/** The next byte from the client is the first of a message. */
const MESSAGE_START: u64 = 1 << 36;
/** The header that asks for the drain is in the message whose stream is to come. */
const HEADER_INSERTED: u64 = 1 << 37;
/** Bytes of a message have passed, and its stream has not been created yet. */
const STREAM_TO_COME: u64 = 1 << 38;
/** A drain would have been asked for, were it not for shadow mode. */
const SHADOW_DRAIN: u64 = 1 << 39;

/**
 * Seconds without a request after which a record is forgotten. Envoy's HTTP connection manager ends
 * idle connections after an hour unless told otherwise (`common_http_protocol_options.idle_timeout`).
 */
export const IDLE_SECONDS: u32 = 3600;

/** The same once a drain was asked for: the connection should long be gone. */
export const DRAINED_SECONDS: u32 = 60;

export class ConnectionTable {
  /** Records in use; some may belong to connections that have closed. */
  tracked: i32 = 0;
  /** Connections that were forgotten to make room, since the table was made. */
  evicted: u64 = 0;

  private words: StaticArray<u64> = new StaticArray<u64>(0);
  private ways: i32 = 1;
  private sets: i32 = 0;
  private sequence: u32 = 0;
  private sweepAt: i32 = 0;

  /**
   * @param bound records at most, at least 1; above `WAYS` it is rounded down to full sets
   * @param seed see `hashConnection`
   */
  constructor(
    private bound: i32,
    private readonly seed: u64,
  ) {
    this.ways = min(bound, WAYS);
    this.sets = bound / this.ways;
    this.words = new StaticArray<u64>(this.sets * this.ways * WORDS);
  }

  /** Records that fit. */
  get capacity(): i32 {
    return this.sets * this.ways;
  }

  /** Even over 64 bits and the same whenever it is asked for; the table uses the high half. */
  hash(id: u64): u64 {
    return hashConnection(id, this.seed);
  }

  /**
   * The record of a connection, marked as used now; a new one with nothing spent if there is none.
   * It is valid until the next `touch`.
   * @param hash of the id, as `hash` gives it
   */
  touch(id: u64, hash: u64, seconds: u32): i32 {
    return this.place(id, hash, ((<u64>seconds) << 32) | this.sequence++);
  }

  /** What the connection's requests have cost so far; 0 marks a new record. */
  spent(record: i32): u32 {
    return <u32>(this.words[record + 2] & SPENT);
  }

  /** Adds to what is spent, which stays at its maximum rather than starting again. */
  spend(record: i32, cost: u32): u32 {
    const word = this.words[record + 2];
    const spent = min((word & SPENT) + cost, SPENT);
    this.words[record + 2] = (word & ~SPENT) | spent;
    return <u32>spent;
  }

  protocol(record: i32): Protocol {
    return <Protocol>((this.words[record + 2] & PROTOCOL) >> PROTOCOL_SHIFT);
  }

  setProtocol(record: i32, protocol: Protocol): void {
    const rest = this.words[record + 2] & ~PROTOCOL;
    this.words[record + 2] = rest | ((<u64>protocol) << PROTOCOL_SHIFT);
  }

  drainAsked(record: i32): bool {
    return this.has(record, DRAIN_ASKED);
  }

  setDrainAsked(record: i32): void {
    this.set(record, DRAIN_ASKED, true);
  }

  /** Whether a drain would have been asked for, were it not for shadow mode. */
  shadowDrain(record: i32): bool {
    return this.has(record, SHADOW_DRAIN);
  }

  setShadowDrain(record: i32): void {
    this.set(record, SHADOW_DRAIN, true);
  }

  /** Whether a network filter of ours sees this connection. */
  hasNetworkFilter(record: i32): bool {
    return this.has(record, NETWORK_FILTER);
  }

  /** The root context of that network filter. */
  networkRoot(record: i32): u32 {
    return <u32>this.words[record + 3];
  }

  setNetworkRoot(record: i32, rootId: u32): void {
    this.set(record, NETWORK_FILTER, true);
    this.words[record + 3] = rootId;
  }

  /** Whether the next byte from the client is known to be the first of a message. */
  atMessageStart(record: i32): bool {
    return this.has(record, MESSAGE_START);
  }

  setMessageStart(record: i32, value: bool): void {
    this.set(record, MESSAGE_START, value);
  }

  /** Whether the message whose stream is to come carries the header that asks for the drain. */
  headerInserted(record: i32): bool {
    return this.has(record, HEADER_INSERTED);
  }

  setHeaderInserted(record: i32, value: bool): void {
    this.set(record, HEADER_INSERTED, value);
  }

  /** Whether bytes of a message have passed whose stream has not been created yet. */
  streamToCome(record: i32): bool {
    return this.has(record, STREAM_TO_COME);
  }

  setStreamToCome(record: i32, value: bool): void {
    this.set(record, STREAM_TO_COME, value);
  }

  /** The record of a connection, or -1; unlike `touch` it makes none. */
  find(id: u64, hash: u64): i32 {
    const start = this.setStart(hash);
    for (let way = 0; way < this.ways; way++) {
      const record = start + way * WORDS;
      if (this.words[record + 1] != 0 && this.words[record] == id) return record;
    }
    return -1;
  }

  /** Forgets a connection that has closed. */
  release(id: u64): void {
    const record = this.find(id, this.hash(id));
    if (record < 0) return;
    this.words[record + 1] = 0;
    this.tracked--;
  }

  private has(record: i32, flag: u64): bool {
    return (this.words[record + 2] & flag) != 0;
  }

  private set(record: i32, flag: u64, value: bool): void {
    const rest = this.words[record + 2] & ~flag;
    this.words[record + 2] = value ? rest | flag : rest;
  }

  /**
   * Forgets connections that are idle for so long that they must be closed. Looks at the next
   * `records` of the table, so that a caller bounds what one call costs.
   */
  expire(seconds: u32, records: i32): void {
    const count = min(records, this.capacity);
    for (let i = 0; i < count; i++) {
      const record = this.sweepAt;
      this.sweepAt = (this.sweepAt + WORDS) % this.words.length;
      const used = this.words[record + 1];
      // The network filter tells when its connections close.
      if (used == 0 || this.hasNetworkFilter(record)) continue;
      const idle = seconds - <u32>(used >>> 32);
      if (idle < (this.drainAsked(record) ? DRAINED_SECONDS : IDLE_SECONDS)) continue;
      this.words[record + 1] = 0;
      this.tracked--;
    }
  }

  /** Changes the bound and keeps what fits, the most recently used first. */
  resize(bound: i32): void {
    if (bound == this.bound) return;
    this.bound = bound;
    const old = this.words;
    this.ways = min(bound, WAYS);
    this.sets = bound / this.ways;
    this.words = new StaticArray<u64>(this.sets * this.ways * WORDS);
    this.tracked = 0;
    this.sweepAt = 0;
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from + 1] == 0) continue;
      const record = this.place(old[from], this.hash(old[from]), old[from + 1]);
      if (record < 0) continue;
      this.words[record + 2] = old[from + 2];
      this.words[record + 3] = old[from + 3];
    }
  }

  /** Finds or claims a record; -1 if every record of the set was used later than `stamp`. */
  private place(id: u64, hash: u64, stamp: u64): i32 {
    const start = this.setStart(hash);
    const end = start + this.ways * WORDS;
    let victim = start;
    for (let record = start; record < end; record += WORDS) {
      const used = this.words[record + 1];
      if (used != 0 && this.words[record] == id) {
        this.words[record + 1] = stamp;
        return record;
      }
      if (used < this.words[victim + 1]) victim = record;
    }
    const replaced = this.words[victim + 1];
    if (replaced == 0) this.tracked++;
    else this.evicted++;
    if (replaced > stamp) return -1;
    this.words[victim] = id;
    this.words[victim + 1] = stamp;
    this.words[victim + 2] = 0;
    this.words[victim + 3] = 0;
    return victim;
  }

  private setStart(hash: u64): i32 {
    // The high half of the hash scaled to the number of sets; the low half is left to the jitter.
    const set = ((hash >>> 32) * <u64>this.sets) >>> 32;
    return <i32>set * this.ways * WORDS;
  }
}
