/** What an operator should know once, and where to look. */
import { Warning } from "./announce";

export const helperMissing = new Warning(
  "evenkeel: requests keep coming on a connection that was told to end, so nothing acts on the " +
    "filter state wasm.evenkeel.drain: install the drain helper (the composite filter with the Lua " +
    "call drainConnectionUponCompletion, Envoy 1.37 or later) directly after evenkeel in " +
    "http_filters, as envoy/envoy.yaml shows, or, if evenkeel's network filter is to do it, give " +
    "both filters the same vm_id, vm_config and code; counted as wasmcustom.evenkeel_drain_ignored",
);

export const networkFilterMissing = new Warning(
  "evenkeel: drain is network, but no network filter of evenkeel in this VM sees the connection, so " +
    "it stays open: install the network filter before the HTTP connection manager and give both " +
    "filters the same vm_id, vm_config and code; counted as wasmcustom.evenkeel_drain_ignored",
);

export const connectionUnknown = new Warning(
  "evenkeel: the host does not tell connection_id, so connections stay open; counted as " +
    "wasmcustom.evenkeel_host_call_failed",
);

export const markRefused = new Warning(
  "evenkeel: the host does not take the property evenkeel.drain, so connections stay open; " +
    "counted as wasmcustom.evenkeel_host_call_failed",
);

/** To be called while a configuration is loaded, before a worker may have to warn. */
export function prepareWarnings(): void {
  helperMissing.prepare();
  networkFilterMissing.prepare();
  connectionUnknown.prepare();
  markRefused.prepare();
}
