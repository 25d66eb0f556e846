/**
 * Typed host calls. With `memory.ts` this is the only code that knows pointers; everything above it
 * deals in numbers and strings. No call here traps: a failure becomes `null`, `false` or a constant.
 */
import {
  proxy_define_metric,
  proxy_get_buffer_bytes,
  proxy_get_current_time_nanoseconds,
  proxy_get_header_map_value,
  proxy_get_property,
  proxy_get_shared_data,
  proxy_increment_metric,
  proxy_log,
  proxy_set_buffer_bytes,
  proxy_set_property,
  proxy_set_shared_data,
  proxy_set_tick_period_milliseconds,
} from "@gcoredev/proxy-wasm-sdk-as/assembly/imports";
import { BufferType, HeaderMapType, LogLevel, MetricType, WasmResult } from "./enums";
import {
  release,
  returnedPointer,
  returnedPointerSlot,
  returnedSize,
  returnedSizeSlot,
  returnedU32,
  returnedU64,
  returnedValueSlot,
} from "./memory";

/** Answer of `connectionId` when the host does not tell; no real connection has it. */
export const UNKNOWN_CONNECTION: u64 = u64.MAX_VALUE;

/** Answer of `defineMetric` when the host refuses; writing to it does nothing. */
export const UNDEFINED_METRIC: u32 = u32.MAX_VALUE;

/** Text in the form that host calls take. Names used per request are encoded once, at start. */
export class HostText {
  private bytes: ArrayBuffer = new ArrayBuffer(0);

  constructor(text: string) {
    this.bytes = String.UTF8.encode(text);
  }

  get pointer(): usize {
    return changetype<usize>(this.bytes);
  }

  get size(): usize {
    return <usize>this.bytes.byteLength;
  }
}

const CONNECTION_ID = new HostText("connection_id");
const FILTER_CHAIN_NAME = new HostText("xds\0filter_chain_name");
const DESTINATION_PORT = new HostText("destination\0port");
const REQUEST_PROTOCOL = new HostText("request\0protocol");

export function log(level: LogLevel, message: string): void {
  const text = new HostText(message);
  proxy_log(level, text.pointer, text.size);
}

/** Where the bytes of a property are, to be released when read; 0 where the host has no value. */
function readProperty(path: HostText): usize {
  const status = proxy_get_property(
    path.pointer,
    path.size,
    returnedPointerSlot(),
    returnedSizeSlot(),
  );
  return status == WasmResult.Ok ? returnedPointer() : 0;
}

/** Id of the downstream connection of the current stream, or `UNKNOWN_CONNECTION`. */
export function connectionId(): u64 {
  const pointer = readProperty(CONNECTION_ID);
  const id =
    pointer != 0 && returnedSize() == sizeof<u64>() ? load<u64>(pointer) : UNKNOWN_CONNECTION;
  release(pointer);
  return id;
}

/** Major version of the current request's HTTP: 1, 2 or 3; 0 when the host does not tell. */
export function httpMajorVersion(): u32 {
  const pointer = readProperty(REQUEST_PROTOCOL);
  // "HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3": the digit after the slash.
  const digit: u32 = pointer != 0 && returnedSize() >= 6 ? load<u8>(pointer, 5) - 0x30 : 0;
  release(pointer);
  return digit >= 1 && digit <= 3 ? digit : 0;
}

/** Sets a property of the current stream, which Envoy keeps as its filter state `wasm.<name>`. */
export function setProperty(name: HostText, value: HostText): bool {
  return proxy_set_property(name.pointer, name.size, value.pointer, value.size) == WasmResult.Ok;
}

/** Whether the current request carries the header, in lower case, whatever its value. */
export function hasRequestHeader(name: HostText): bool {
  const status = proxy_get_header_map_value(
    HeaderMapType.RequestHeaders,
    name.pointer,
    name.size,
    returnedPointerSlot(),
    returnedSizeSlot(),
  );
  if (status != WasmResult.Ok) return false;
  const pointer = returnedPointer();
  release(pointer);
  return pointer != 0 && returnedSize() > 0;
}

/** The plugin's configuration; `size` as the host announced it. `null` when it cannot be read. */
export function pluginConfiguration(size: u32): ArrayBuffer | null {
  const status = proxy_get_buffer_bytes(
    BufferType.PluginConfiguration,
    0,
    size,
    returnedPointerSlot(),
    returnedSizeSlot(),
  );
  if (status != WasmResult.Ok) return null;
  const pointer = returnedPointer();
  if (pointer == 0) return null;
  const bytes = new ArrayBuffer(<i32>returnedSize());
  memory.copy(changetype<usize>(bytes), pointer, returnedSize());
  release(pointer);
  return bytes;
}

/**
 * Copies the first bytes that the client has sent and that no filter has consumed.
 * @param size how many; at most the room in `target`
 * @returns how many were copied
 */
export function copyDownstreamData(target: StaticArray<u8>, size: i32): i32 {
  const status = proxy_get_buffer_bytes(
    BufferType.NetworkDownstreamData,
    0,
    min(size, target.length),
    returnedPointerSlot(),
    returnedSizeSlot(),
  );
  if (status != WasmResult.Ok) return 0;
  const pointer = returnedPointer();
  if (pointer == 0) return 0;
  const copied = min(<i32>returnedSize(), target.length);
  memory.copy(changetype<usize>(target), pointer, copied);
  release(pointer);
  return copied;
}

/** Replaces the first `size` of these bytes with the first `newSize` of others. */
export function replaceDownstreamData(size: i32, bytes: StaticArray<u8>, newSize: i32): bool {
  const status = proxy_set_buffer_bytes(
    BufferType.NetworkDownstreamData,
    0,
    size,
    changetype<usize>(bytes),
    newSize,
  );
  return status == WasmResult.Ok;
}

/**
 * A number that is the same for connections that took the same listener port and filter chain.
 */
export function filterChainKey(): u64 {
  return propertyHash(FILTER_CHAIN_NAME) ^ (propertyHash(DESTINATION_PORT) * 31);
}

/** The bytes of a property as a hash (FNV-1a); of nothing where the host has no value. */
function propertyHash(path: HostText): u64 {
  let hash: u64 = 0xcbf29ce484222325;
  const pointer = readProperty(path);
  const size: usize = pointer == 0 ? 0 : returnedSize();
  for (let i: usize = 0; i < size; i++) hash = (hash ^ load<u8>(pointer + i)) * 0x100000001b3;
  release(pointer);
  return hash;
}

/** Wall-clock time in nanoseconds since 1970; 0 when the host does not tell. It may step back. */
export function currentTimeNanoseconds(): u64 {
  const status = proxy_get_current_time_nanoseconds(returnedValueSlot());
  return status == WasmResult.Ok ? returnedU64() : 0;
}

/** Asks for `proxy_on_tick` of the current root context every so often. */
export function setTickPeriod(milliseconds: u32): bool {
  return proxy_set_tick_period_milliseconds(milliseconds) == WasmResult.Ok;
}

/** @returns the statistic's id, or `UNDEFINED_METRIC` */
export function defineMetric(type: MetricType, name: string): u32 {
  const text = new HostText(name);
  const status = proxy_define_metric(type, text.pointer, text.size, returnedValueSlot());
  return status == WasmResult.Ok ? returnedU32() : UNDEFINED_METRIC;
}

/** Adds to a counter, or moves a gauge up or down. */
export function incrementMetric(metric: u32, offset: i64): bool {
  if (metric == UNDEFINED_METRIC) return false;
  return proxy_increment_metric(metric, offset) == WasmResult.Ok;
}

/** A value that all workers of the proxy share, and the ticket to replace just this version of it. */
export class SharedU64 {
  constructor(
    readonly value: u64,
    readonly cas: u32,
  ) {}
}

/** The shared value of a key, or `null` where none was stored. */
export function sharedU64(key: string): SharedU64 | null {
  const text = new HostText(key);
  const status = proxy_get_shared_data(
    text.pointer,
    text.size,
    returnedPointerSlot(),
    returnedSizeSlot(),
    returnedValueSlot(),
  );
  if (status != WasmResult.Ok) return null;
  const pointer = returnedPointer();
  const wellFormed = pointer != 0 && returnedSize() == sizeof<u64>();
  const value: u64 = wellFormed ? load<u64>(pointer) : 0;
  release(pointer);
  return new SharedU64(value, returnedU32());
}

/**
 * Stores a shared value if the key is still at the version that `cas` stands for. A `cas` of 0
 * always stores, also when another worker was faster.
 */
export function setSharedU64(key: string, value: u64, cas: u32): bool {
  const text = new HostText(key);
  const content = new StaticArray<u64>(1);
  content[0] = value;
  const status = proxy_set_shared_data(
    text.pointer,
    text.size,
    changetype<usize>(content),
    sizeof<u64>(),
    cas,
  );
  return status == WasmResult.Ok;
}
