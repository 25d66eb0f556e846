/** The callbacks that Envoy calls. Each one that is not exported saves a crossing into the VM. */
import "./abi/abort";
import { FilterDataStatus, FilterHeadersStatus, FilterStatus } from "./abi/enums";
import { collectGarbage, malloc } from "./abi/memory";
import { configure } from "./plugin/configure";
import { onConnectionClose, onDownstreamData, onNewConnection } from "./plugin/connection";
import { onRequest, onRequestEnd } from "./plugin/request";
import { Worker } from "./plugin/worker";

export { malloc };

const worker = new Worker();

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_context_create(contextId: u32, parentId: u32): void {
  if (parentId == 0) worker.roots.add(contextId, worker.clock.seconds);
  else worker.roots.addStream(contextId, parentId);
}

export function proxy_on_configure(rootId: u32, size: u32): u32 {
  const accepted = configure(worker, rootId, size);
  collectGarbage();
  return accepted ? 1 : 0;
}

export function proxy_on_tick(rootId: u32): void {
  worker.tick(rootId);
}

export function proxy_on_request_headers(contextId: u32, _headers: u32, endOfStream: u32): u32 {
  onRequest(worker, contextId, endOfStream != 0);
  return FilterHeadersStatus.Continue;
}

export function proxy_on_request_body(_contextId: u32, _size: u32, endOfStream: u32): u32 {
  if (endOfStream != 0) onRequestEnd(worker);
  return FilterDataStatus.Continue;
}

export function proxy_on_request_trailers(_contextId: u32, _trailers: u32): u32 {
  onRequestEnd(worker);
  return FilterHeadersStatus.Continue;
}

export function proxy_on_new_connection(contextId: u32): u32 {
  onNewConnection(worker, contextId);
  return FilterStatus.Continue;
}

export function proxy_on_downstream_data(contextId: u32, size: u32, endOfStream: u32): u32 {
  return onDownstreamData(worker, contextId, size, endOfStream != 0);
}

export function proxy_on_downstream_connection_close(contextId: u32, _peer: u32): void {
  onConnectionClose(worker, contextId);
}
