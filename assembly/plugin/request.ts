import {
  connectionId,
  filterChainKey,
  hasRequestHeader,
  HostText,
  httpMajorVersion,
  setProperty,
  UNKNOWN_CONNECTION,
} from "../abi/host";
import { DrainMode } from "../config/keys";
import { Protocol } from "../connection/protocol";
import { decide, Decision } from "../policy/decision";
import { connectionUnknown, helperMissing, markRefused, networkFilterMissing } from "./warnings";
import { Worker } from "./worker";

/**
 * The mark that asks for the drain: Envoy keeps it as the stream's filter state
 * `wasm.evenkeel.drain`, whose value is the reason. The composite filter's match, the access log and
 * Lua read it, so name and values are an interface (docs/interface.md).
 */
const MARK = new HostText("evenkeel.drain");
const MARK_REQUESTS = new HostText("requests");

/** Envoy adds it to a request that it sends through the filters again. */
const ORIGINAL_URL = new HostText("x-envoy-original-url");

/** Counts a request whose head has arrived and, if it is to be the last, asks for the drain. */
export function onRequest(worker: Worker, contextId: u32, endOfStream: bool): void {
  worker.metrics.countRequest();
  const root = worker.roots.ofStream(contextId);
  if (root == null) return;
  let limits = root.limits;
  if (limits == null || (limits.isUnlimited && !worker.seesConnections)) return;

  const id = connectionOfStream(worker, limits.drain);
  if (id == UNKNOWN_CONNECTION) {
    worker.metrics.countHostCallFailed();
    return connectionUnknown.give();
  }
  const connections = worker.connections;
  const hash = connections.hash(id);
  const record = connections.touch(id, hash, worker.clock.seconds);
  const isFirst = connections.spent(record) == 0;
  if (isFirst) connections.setProtocol(record, <Protocol>httpMajorVersion());
  const protocol = connections.protocol(record);
  if (connections.hasNetworkFilter(record)) {
    // Such a connection follows the configuration of its network filter.
    const network = worker.roots.find(connections.networkRoot(record));
    if (network != null && network.limits != null) limits = network.limits;
    if (isFirst && protocol == Protocol.Http1) worker.httpFollows.add(filterChainKey());
    connections.setMessageStart(record, endOfStream);
    connections.setStreamToCome(record, false);
  }

  const limit = limits!.forConnection(protocol, hash);
  const decision = decide(connections.spend(record, 1), limit, limits!.shadowMode);
  if (decision == Decision.DrainByRequests) askForDrain(worker, record, limits!.drain);
  else if (decision == Decision.WouldDrainByRequests) noteShadowDrain(worker, record);
}

/**
 * The connection of a stream that was just created. An HTTP filter whose `drain` is `network` declares
 * that every connection passes the network filter: then the bytes that have just passed there are the
 * stream's, and no property needs to be read.
 */
function connectionOfStream(worker: Worker, drain: DrainMode): u64 {
  const dispatching = worker.dispatching;
  worker.dispatching = UNKNOWN_CONNECTION;
  if (drain == DrainMode.Network && dispatching != UNKNOWN_CONNECTION) return dispatching;
  return connectionId();
}

/** The last byte of a request with a body, or its trailers, have arrived. */
export function onRequestEnd(worker: Worker): void {
  if (!worker.seesConnections) return;
  const id = connectionId();
  if (id == UNKNOWN_CONNECTION) return;
  const connections = worker.connections;
  const record = connections.find(id, connections.hash(id));
  if (record >= 0) connections.setMessageStart(record, connections.hasNetworkFilter(record));
}

/**
 * Asks for the drain with the mark, unless the network filter has done so with its header or is the
 * only one that may. A connection that should have ended is asked for again: a filter between this
 * one and the helper may have answered before the helper was reached. Envoy drains only once.
 */
function askForDrain(worker: Worker, record: i32, drain: DrainMode): void {
  const connections = worker.connections;
  const isHttp1 = connections.protocol(record) == Protocol.Http1;
  const wasAsked = connections.drainAsked(record);
  if (connections.headerInserted(record)) {
    connections.setHeaderInserted(record, false);
    // The header ends the connection; the mark is for the access log.
    setProperty(MARK, MARK_REQUESTS);
    return;
  }
  if (drain == DrainMode.Network) {
    if (isHttp1 && !connections.hasNetworkFilter(record)) {
      worker.metrics.countDrainIgnored();
      networkFilterMissing.give();
    }
    return;
  }
  if (!setProperty(MARK, MARK_REQUESTS)) {
    worker.metrics.countHostCallFailed();
    return markRefused.give();
  }
  if (!wasAsked) {
    connections.setDrainAsked(record);
    worker.metrics.countDrainByRequests();
  } else if (isHttp1 && !isInternalRedirect()) {
    // HTTP/2 and HTTP/3 clients may open streams until the final GOAWAY, HTTP/1.x ones may not.
    worker.metrics.countDrainIgnored();
    helperMissing.give();
  }
}

function noteShadowDrain(worker: Worker, record: i32): void {
  const connections = worker.connections;
  if (connections.shadowDrain(record)) return;
  connections.setShadowDrain(record);
  worker.metrics.countShadowDrainByRequests();
}

/**
 * Envoy runs the filters again for a redirect that it follows itself, so the same request arrives
 * twice. It says so in this header; a client that forges it only hides its own connection from
 * `drain_ignored`.
 */
function isInternalRedirect(): bool {
  return hasRequestHeader(ORIGINAL_URL);
}
