import { readFileSync } from "node:fs";
import { PLUGIN } from "../../tools/paths.js";

/** Answers of host calls, as proxy-wasm numbers them. */
export const enum WasmResult {
  Ok = 0,
  NotFound = 1,
  BadArgument = 2,
  InvalidMemoryAccess = 6,
  CasMismatch = 8,
  InternalFailure = 10,
}

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "critical"] as const;
const METRIC_TYPES = ["counter", "gauge", "histogram"] as const;
const PLUGIN_CONFIGURATION = 7;
const NETWORK_DOWNSTREAM_DATA = 2;
const REQUEST_HEADERS = 0;

export interface LogLine {
  level: (typeof LOG_LEVELS)[number];
  message: string;
}

export interface Metric {
  type: (typeof METRIC_TYPES)[number];
  value: bigint;
}

/** What one downstream request looks like to the plugin. */
export interface Request {
  connectionId: bigint;
  protocol?: string;
  headers?: Record<string, string>;
  /** A body, or trailers, follow. */
  body?: boolean;
}

/** A downstream connection that a network filter sees. */
export interface Connection {
  context: number;
  id: bigint;
  /** Bytes that the client has sent and no filter has consumed. */
  buffer: string;
  /** Name of the filter chain that the connection took. */
  chain: string;
}

interface Exports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  malloc(size: number): number;
  proxy_on_context_create(id: number, parent: number): void;
  proxy_on_configure(id: number, size: number): number;
  proxy_on_tick(id: number): void;
  proxy_on_request_headers(id: number, headers: number, endOfStream: number): number;
  proxy_on_request_body(id: number, size: number, endOfStream: number): number;
  proxy_on_request_trailers(id: number, trailers: number): number;
  proxy_on_new_connection(id: number): number;
  proxy_on_downstream_data(id: number, size: number, endOfStream: number): number;
  proxy_on_downstream_connection_close(id: number, peer: number): void;
}

const release = new WebAssembly.Module(readFileSync(PLUGIN));

/** What all workers of one proxy share: the log, the shared data, the statistics, the time. */
export class Proxy {
  readonly log: LogLine[] = [];
  readonly metrics = new Map<string, Metric>();
  readonly sharedData = new Map<string, { value: Uint8Array; cas: number }>();
  /** Nanoseconds since 1970. */
  time = 1_790_000_000_000_000_000n;

  /** Starts another worker with a VM of its own. */
  worker(module = release): Worker {
    return new Worker(this, module);
  }

  /** The value of a statistic. */
  stat(name: string): bigint {
    const metric = this.metrics.get(name);
    if (!metric) throw new Error(`no statistic "${name}" was defined`);
    return metric.value;
  }

  lines(level: LogLine["level"]): string[] {
    return this.log.filter((line) => line.level === level).map(({ message }) => message);
  }
}

/**
 * One worker thread's VM, driven as Envoy drives it: a root context per plugin configuration; a
 * stream context that is created directly before its request headers; only exported callbacks.
 */
export class Worker {
  /** Every host call since the last reset, in order. */
  calls: string[] = [];
  /** Host calls that answer a failure instead of doing anything. */
  readonly failing = new Map<string, number>();
  /** Where the module made room for what the host returned since the last reset. */
  rooms = new Set<number>();
  /** Period of each root context's timer, in milliseconds. */
  readonly tickPeriods = new Map<number, number>();

  private readonly exports: Exports;
  private readonly metricNames: string[] = [];
  private nextContext = 1;
  private currentContext = 0;
  private configuration = new Uint8Array();
  private request: Request = { connectionId: 0n };
  private connection: Connection | null = null;
  private marks = new Map<string, string>();

  constructor(
    private readonly proxy: Proxy,
    module: WebAssembly.Module,
  ) {
    const instance = new WebAssembly.Instance(module, { env: this.imports() });
    this.exports = instance.exports as unknown as Exports;
    this.exports._initialize();
  }

  /** Creates a root context and gives it a configuration; returns its id, or `null` if refused. */
  configure(configuration: string | Uint8Array = ""): number | null {
    const root = this.nextContext++;
    this.exports.proxy_on_context_create(root, 0);
    return this.reconfigure(root, configuration) ? root : null;
  }

  /** Gives an existing root context another configuration. */
  reconfigure(root: number, configuration: string | Uint8Array): boolean {
    this.configuration = Buffer.from(configuration);
    this.currentContext = root;
    return this.exports.proxy_on_configure(root, this.configuration.length) !== 0;
  }

  /** Lets a root context's timer fire after its period. */
  tick(root: number): void {
    this.proxy.time += BigInt(this.tickPeriods.get(root) ?? 0) * 1_000_000n;
    this.currentContext = root;
    this.exports.proxy_on_tick(root);
  }

  /** Sends a request through the filter; returns the mark that it left, if any. */
  send(root: number, request: Request): string | undefined {
    return this.requestHeaders(this.createStream(root), request);
  }

  /** Creates a stream context. */
  createStream(root: number): number {
    const stream = this.nextContext++;
    this.exports.proxy_on_context_create(stream, root);
    return stream;
  }

  /** Delivers a request's headers to a stream context; the filter must let them pass. */
  requestHeaders(stream: number, request: Request): string | undefined {
    this.request = request;
    this.marks = new Map();
    this.currentContext = stream;
    const action = this.exports.proxy_on_request_headers(stream, 4, request.body ? 0 : 1);
    if (action !== 0) throw new Error(`the filter must continue, it answered ${action}`);
    return this.marks.get("evenkeel.drain");
  }

  /** Delivers the end of a request's body, or its trailers, to the stream that was created last. */
  endRequest(connectionId: bigint, how: "body" | "trailers" = "body"): void {
    const stream = this.nextContext - 1;
    this.request = { connectionId };
    this.currentContext = stream;
    if (how === "body") {
      this.exports.proxy_on_request_body(stream, 10, 0);
      this.exports.proxy_on_request_body(stream, 0, 1);
    } else {
      this.exports.proxy_on_request_body(stream, 10, 0);
      this.exports.proxy_on_request_trailers(stream, 1);
    }
  }

  /** Accepts a connection in front of which a network filter stands. */
  connect(root: number, id: bigint, chain = "chain"): Connection {
    const connection = { context: this.createStream(root), id, buffer: "", chain };
    this.connection = connection;
    this.request = { connectionId: id };
    this.currentContext = connection.context;
    this.exports.proxy_on_new_connection(connection.context);
    return connection;
  }

  /**
   * Presents bytes of a connection to its network filter, behind those that it has held back.
   * @returns what passes on, or `null` if the filter waits for more
   */
  receive(connection: Connection, bytes: string, endOfStream = false): string | null {
    connection.buffer += bytes;
    this.connection = connection;
    this.request = { connectionId: connection.id };
    this.currentContext = connection.context;
    const action = this.exports.proxy_on_downstream_data(
      connection.context,
      connection.buffer.length,
      endOfStream ? 1 : 0,
    );
    if (action === 1) return null;
    if (action !== 0) throw new Error(`the filter must continue or wait, it answered ${action}`);
    const passed = connection.buffer;
    connection.buffer = "";
    return passed;
  }

  close(connection: Connection): void {
    this.connection = connection;
    this.request = { connectionId: connection.id };
    this.exports.proxy_on_downstream_connection_close(connection.context, 2);
  }

  /** Forgets the recorded host calls and rooms. */
  reset(): void {
    this.calls = [];
    this.rooms = new Set();
  }

  /** Size of the VM's memory in bytes. */
  get memorySize(): number {
    return this.exports.memory.buffer.byteLength;
  }

  private imports(): Record<string, WebAssembly.ImportValue> {
    const calls = {
      proxy_log: (level: number, text: number, size: number) => {
        this.proxy.log.push({ level: LOG_LEVELS[level]!, message: this.text(text, size) });
        return WasmResult.Ok;
      },
      proxy_get_current_time_nanoseconds: (result: number) => {
        this.view().setBigUint64(result, this.proxy.time, true);
        return WasmResult.Ok;
      },
      proxy_set_tick_period_milliseconds: (period: number) => {
        this.tickPeriods.set(this.currentContext, period);
        return WasmResult.Ok;
      },
      proxy_get_property: (path: number, size: number, pointer: number, length: number) => {
        const value = this.property(this.text(path, size));
        if (!value) return WasmResult.NotFound;
        return this.answer(value, pointer, length);
      },
      proxy_set_property: (path: number, size: number, value: number, length: number) => {
        this.marks.set(this.text(path, size), this.text(value, length));
        return WasmResult.Ok;
      },
      proxy_get_header_map_value: (
        map: number,
        key: number,
        size: number,
        pointer: number,
        length: number,
      ) => {
        if (map !== REQUEST_HEADERS) return WasmResult.BadArgument;
        const value = this.request.headers?.[this.text(key, size)];
        if (value === undefined) return WasmResult.NotFound;
        return this.answer(Buffer.from(value), pointer, length);
      },
      proxy_get_buffer_bytes: (
        type: number,
        start: number,
        max: number,
        pointer: number,
        length: number,
      ) => {
        if (type === NETWORK_DOWNSTREAM_DATA && this.connection) {
          const bytes = Buffer.from(this.connection.buffer, "latin1");
          return this.answer(bytes.subarray(start, start + max), pointer, length);
        }
        if (type !== PLUGIN_CONFIGURATION) return WasmResult.BadArgument;
        return this.answer(this.configuration.subarray(start, start + max), pointer, length);
      },
      proxy_set_buffer_bytes: (
        type: number,
        start: number,
        max: number,
        bytes: number,
        size: number,
      ) => {
        if (type !== NETWORK_DOWNSTREAM_DATA || !this.connection || start !== 0) {
          return WasmResult.BadArgument;
        }
        const replacement = Buffer.from(this.bytes(bytes, size)).toString("latin1");
        this.connection.buffer = replacement + this.connection.buffer.slice(max);
        return WasmResult.Ok;
      },
      proxy_define_metric: (type: number, name: number, size: number, id: number) => {
        const key = this.text(name, size);
        if (!this.proxy.metrics.has(key)) {
          this.proxy.metrics.set(key, { type: METRIC_TYPES[type]!, value: 0n });
        }
        this.metricNames.push(key);
        this.view().setUint32(id, this.metricNames.length - 1, true);
        return WasmResult.Ok;
      },
      proxy_increment_metric: (id: number, offset: bigint) => {
        const metric = this.proxy.metrics.get(this.metricNames[id] ?? "");
        if (!metric) return WasmResult.NotFound;
        if (metric.type === "counter" && offset < 0n) return WasmResult.BadArgument;
        metric.value += offset;
        return WasmResult.Ok;
      },
      proxy_get_shared_data: (
        key: number,
        size: number,
        pointer: number,
        length: number,
        cas: number,
      ) => {
        const entry = this.proxy.sharedData.get(this.text(key, size));
        if (!entry) return WasmResult.NotFound;
        this.view().setUint32(cas, entry.cas, true);
        return this.answer(entry.value, pointer, length);
      },
      proxy_set_shared_data: (
        key: number,
        size: number,
        value: number,
        length: number,
        cas: number,
      ) => {
        const name = this.text(key, size);
        const entry = this.proxy.sharedData.get(name);
        // As proxy-wasm-cpp-host does it: a key that does not exist takes any version.
        if (entry && cas !== 0 && cas !== entry.cas) return WasmResult.CasMismatch;
        const bytes = this.bytes(value, length).slice();
        this.proxy.sharedData.set(name, { value: bytes, cas: (entry?.cas ?? 0) + 1 });
        return WasmResult.Ok;
      },
    };
    return Object.fromEntries(
      Object.entries(calls).map(([name, call]) => [name, this.recorded(name, call as HostCall)]),
    );
  }

  private recorded(name: string, call: HostCall): HostCall {
    return (...args) => {
      this.calls.push(name);
      return this.failing.get(name) ?? call(...args);
    };
  }

  private property(path: string): Uint8Array | null {
    if (path === "connection_id") {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, this.request.connectionId, true);
      return bytes;
    }
    if (path === "xds\0filter_chain_name") return Buffer.from(this.connection?.chain ?? "chain");
    if (path === "destination\0port") return new Uint8Array(8).fill(1);
    if (path === "request\0protocol") return Buffer.from(this.request.protocol ?? "HTTP/1.1");
    return null;
  }

  /** Hands bytes to the VM as the host does: in room that the VM's malloc gives. */
  private answer(value: Uint8Array, pointer: number, length: number): WasmResult {
    let room = 0;
    if (value.length > 0) {
      room = this.exports.malloc(value.length);
      this.rooms.add(room);
      if (room === 0) return WasmResult.InvalidMemoryAccess;
      this.bytes(room, value.length).set(value);
    }
    this.view().setUint32(pointer, room, true);
    this.view().setUint32(length, value.length, true);
    return WasmResult.Ok;
  }

  private view(): DataView {
    return new DataView(this.exports.memory.buffer);
  }

  private bytes(pointer: number, size: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, pointer, size);
  }

  private text(pointer: number, size: number): string {
    return Buffer.from(this.bytes(pointer, size)).toString("utf8");
  }
}

type HostCall = (...args: (number | bigint)[]) => number;
