/** Values of the proxy-wasm ABI 0.2.1 that this plugin exchanges with its host. */

export const enum LogLevel {
  Trace = 0,
  Debug = 1,
  Info = 2,
  Warn = 3,
  Error = 4,
  Critical = 5,
}

/** What a host call answers; any value but `Ok` is a failure to handle. */
export const enum WasmResult {
  Ok = 0,
  NotFound = 1,
  BadArgument = 2,
  CasMismatch = 8,
}

/** What a header callback tells the host to do with the stream. */
export const enum FilterHeadersStatus {
  Continue = 0,
}

/** What a body callback tells the host to do with the stream. */
export const enum FilterDataStatus {
  Continue = 0,
}

/** What a network callback tells the host to do with the connection's bytes. */
export const enum FilterStatus {
  Continue = 0,
  /** Keep them, and call again when there are more. */
  StopIteration = 1,
}

export const enum BufferType {
  NetworkDownstreamData = 2,
  PluginConfiguration = 7,
}

export const enum HeaderMapType {
  RequestHeaders = 0,
}

export const enum MetricType {
  Counter = 0,
  Gauge = 1,
}
