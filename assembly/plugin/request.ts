import {
  connectionId,
  hasRequestHeader,
  HostText,
  httpMajorVersion,
  setProperty,
  UNKNOWN_CONNECTION,
} from "../abi/host";
import { Protocol } from "../connection/protocol";
import { decide, Decision } from "../policy/decision";
import { connectionUnknown, helperMissing, markRefused } from "./warnings";
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
export function onRequest(worker: Worker, contextId: u32): void {
  worker.metrics.countRequest();
  const root = worker.roots.ofStream(contextId);
  if (root == null) return;
  const limits = root.limits;
  if (limits == null || limits.isUnlimited) return;

  const id = connectionId();
  if (id == UNKNOWN_CONNECTION) {
    worker.metrics.countHostCallFailed();
    return connectionUnknown.give();
  }
  const connections = worker.connections;
  const hash = connections.hash(id);
  const record = connections.touch(id, hash, worker.clock.seconds);
  if (connections.spent(record) == 0) connections.setProtocol(record, <Protocol>httpMajorVersion());
  const limit = limits.forConnection(connections.protocol(record), hash);

  const decision = decide(connections.spend(record, 1), limit, limits.shadowMode);
  if (decision == Decision.DrainByRequests) askForDrain(worker, record);
  else if (decision == Decision.WouldDrainByRequests) noteShadowDrain(worker, record);
}

/**
 * Marks the stream. A connection that should have ended is asked for again: a filter between this
 * one and the helper may have answered before the helper was reached. Envoy drains only once.
 */
function askForDrain(worker: Worker, record: i32): void {
  if (!setProperty(MARK, MARK_REQUESTS)) {
    worker.metrics.countHostCallFailed();
    return markRefused.give();
  }
  const connections = worker.connections;
  if (!connections.drainAsked(record)) {
    connections.setDrainAsked(record);
    worker.metrics.countDrainByRequests();
  } else if (connections.protocol(record) == Protocol.Http1 && !isInternalRedirect()) {
    // HTTP/2 and HTTP/3 clients may open streams until the final GOAWAY, HTTP/1.x ones may not.
    worker.metrics.countDrainIgnored();
    helperMissing.give();
  }
}

function noteShadowDrain(worker: Worker, record: i32): void {
  const connections = worker.connections;
  if (connections.drainAsked(record)) return;
  connections.setDrainAsked(record);
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
