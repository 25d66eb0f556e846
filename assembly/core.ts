/**
 * The pure core as a module of its own, for the unit tests. It is built with `--noUnsafe` and must
 * come out without imports: proof that policy, config and connection touch no pointer and no host.
 */
import { parseConfig } from "./config/config";
import { KeyRow, KEYS, KeyType } from "./config/keys";
import { Clock } from "./connection/clock";
import { hashConnection } from "./connection/hash";
import { Protocol } from "./connection/protocol";
import { MAX_REQUEST_LINE, requestLineLength } from "./connection/requestLine";
import { ConnectionTable } from "./connection/table";
import { decide } from "./policy/decision";
import { jittered, Limits } from "./policy/limits";
import { VERSION } from "./version";

export { decide, hashConnection, jittered };

export function version(): string {
  return VERSION;
}

/** The effective configuration as JSON, or the error. */
export function parse(bytes: ArrayBuffer): string {
  const result = parseConfig(bytes);
  const config = result.config;
  return config == null ? result.error : config.toJson();
}

/** A connection's limit under a configuration; 0 if that is refused. */
export function limit(bytes: ArrayBuffer, protocol: Protocol, hash: u64): i32 {
  const config = parseConfig(bytes).config;
  return config == null ? 0 : new Limits(config).forConnection(protocol, hash);
}

/** One row of the table of keys as JSON, or "" behind the last. */
export function describeKey(index: i32): string {
  if (index >= KEYS.length) return "";
  const row = KEYS[index];
  const type = row.type == KeyType.Choice ? "choice" : isBoolean(row) ? "boolean" : "integer";
  const name = '{"name":"' + row.name + '","type":"' + type + '"';
  const range = ',"min":' + row.min.toString() + ',"max":' + row.max.toString();
  const limit = ',"unlimited":' + (row.type == KeyType.Limit ? "true" : "false");
  const value = ',"default":' + row.show(row.defaultValue);
  const choices = row.choices.length ? '"' + row.choices.join('","') + '"' : "";
  const meaning = ',"meaning":"' + row.meaning + '"';
  return name + range + limit + value + ',"choices":[' + choices + "]" + meaning + "}";
}

function isBoolean(row: KeyRow): bool {
  return row.type == KeyType.Boolean;
}

/** Length of the request line that the bytes begin with, 0 for more to come, -1 for none. */
export function requestLine(bytes: ArrayBuffer): i32 {
  const view = Uint8Array.wrap(bytes);
  const size = min(view.length, MAX_REQUEST_LINE);
  const line = new StaticArray<u8>(MAX_REQUEST_LINE);
  for (let i = 0; i < size; i++) line[i] = view[i];
  return requestLineLength(line, size);
}

let table = new ConnectionTable(1, 0);

export function newTable(bound: i32, seed: u64): void {
  table = new ConnectionTable(bound, seed);
}

export function resizeTable(bound: i32): void {
  table.resize(bound);
}

/** Charges a connection's request and returns what it has spent since. */
export function request(id: u64, seconds: u32, cost: u32): u32 {
  return table.spend(table.touch(id, table.hash(id), seconds), cost);
}

/** What a connection has spent; touches it, as every look-up does. */
export function spent(id: u64, seconds: u32): u32 {
  return table.spent(table.touch(id, table.hash(id), seconds));
}

export function setProtocol(id: u64, protocol: Protocol): void {
  table.setProtocol(table.touch(id, table.hash(id), 1), protocol);
}

export function protocol(id: u64): Protocol {
  return table.protocol(table.touch(id, table.hash(id), 1));
}

export function setDrainAsked(id: u64, seconds: u32): void {
  table.setDrainAsked(table.touch(id, table.hash(id), seconds));
}

export function drainAsked(id: u64): bool {
  return table.drainAsked(table.touch(id, table.hash(id), 1));
}

export function expire(seconds: u32, records: i32): void {
  table.expire(seconds, records);
}

export function tracked(): i32 {
  return table.tracked;
}

export function evicted(): u64 {
  return table.evicted;
}

export function capacity(): i32 {
  return table.capacity;
}

let clock = new Clock();

export function newClock(): void {
  clock = new Clock();
}

/** Seconds that the clock shows after a reading of the wall clock. */
export function advanceClock(nanoseconds: u64): u32 {
  clock.advance(nanoseconds);
  return clock.seconds;
}
