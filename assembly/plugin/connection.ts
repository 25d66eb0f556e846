/**
 * The network filter: it stands before the HTTP connection manager, sees a connection's bytes, and
 * inserts `proxy-connection: close` into the message that should be the last. The connection manager
 * honours that header below HTTP/2 and never forwards it.
 *
 * A header may only be inserted at the first byte of a message. Where messages begin is told by the
 * HTTP contexts of the same VM:
 *
 *   new connection ────────────────> message start
 *   message start ── bytes pass ───> inside a message
 *   inside a message ── its stream has received its last byte ──> message start
 *
 * The stream of a message is created while its bytes are passed on, so in between `dispatching` says
 * whose stream it is.
 *
 * Bytes of pipelined messages are presented again when the connection manager is ready for them,
 * beginning with the next message. When in doubt the state is "inside", and nothing is touched.
 */
import { FilterStatus } from "../abi/enums";
import {
  connectionId,
  copyDownstreamData,
  filterChainKey,
  replaceDownstreamData,
  UNKNOWN_CONNECTION,
} from "../abi/host";
import { DrainMode } from "../config/keys";
import { Protocol } from "../connection/protocol";
import { INCOMPLETE, MAX_REQUEST_LINE, requestLineLength } from "../connection/requestLine";
import { decide, Decision } from "../policy/decision";
import { Limits } from "../policy/limits";
import { Worker } from "./worker";

/** "proxy-connection: close" CRLF */
const HEADER: StaticArray<u8> = [
  0x70, 0x72, 0x6f, 0x78, 0x79, 0x2d, 0x63, 0x6f, 0x6e, 0x6e, 0x65, 0x63, 0x74, 0x69, 0x6f, 0x6e,
  0x3a, 0x20, 0x63, 0x6c, 0x6f, 0x73, 0x65, 0x0d, 0x0a,
];

/** Room for the longest request line and the header behind it. */
const head = new StaticArray<u8>(MAX_REQUEST_LINE + HEADER.length);

export function onNewConnection(worker: Worker, contextId: u32): void {
  const root = worker.roots.ofStream(contextId);
  const id = connectionId();
  if (root == null || id == UNKNOWN_CONNECTION) return;
  worker.seesConnections = true;
  const connections = worker.connections;
  const record = connections.touch(id, connections.hash(id), worker.clock.seconds);
  connections.setNetworkRoot(record, root.id);
  connections.setMessageStart(record, true);
  worker.contexts.remember(contextId, id);
}

export function onDownstreamData(
  worker: Worker,
  contextId: u32,
  size: u32,
  endOfStream: bool,
): FilterStatus {
  worker.dispatching = UNKNOWN_CONNECTION;
  const id = connectionOf(worker, contextId);
  const connections = worker.connections;
  const hash = connections.hash(id);
  const record = connections.find(id, hash);
  // A connection that the table has forgotten goes on without the network filter.
  if (record < 0) return FilterStatus.Continue;

  if (connections.atMessageStart(record)) {
    const limits = limitsOf(worker, record);
    if (limits != null && shouldEnd(worker, record, hash, limits)) {
      const length = requestLineLength(head, copyDownstreamData(head, min(size, MAX_REQUEST_LINE)));
      if (length == INCOMPLETE && !endOfStream) return FilterStatus.StopIteration;
      if (length > 0) insertHeader(worker, record, length);
    }
    connections.setMessageStart(record, false);
    connections.setStreamToCome(record, true);
  }
  if (connections.streamToCome(record)) worker.dispatching = id;
  return FilterStatus.Continue;
}

export function onConnectionClose(worker: Worker, contextId: u32): void {
  const id = connectionOf(worker, contextId);
  worker.contexts.forget(contextId);
  worker.dispatching = UNKNOWN_CONNECTION;
  if (id != UNKNOWN_CONNECTION) worker.connections.release(id);
}

/** The limits that apply to a connection that the network filter sees, or `null`. */
function limitsOf(worker: Worker, record: i32): Limits | null {
  const root = worker.roots.find(worker.connections.networkRoot(record));
  return root == null ? null : root.limits;
}

/** Whether the message that begins here should be the last, and a header is the way to say so. */
function shouldEnd(worker: Worker, record: i32, hash: u64, limits: Limits): bool {
  const connections = worker.connections;
  if (limits.drain == DrainMode.Lua || connections.protocol(record) > Protocol.Http1) return false;
  const spent = connections.spent(record);
  const limit = limits.forConnection(Protocol.Http1, hash);
  if (decide(spent + 1, limit, limits.shadowMode) != Decision.DrainByRequests) return false;
  // The first message may be no HTTP at all, or HTTP that a tcp_proxy forwards, so it counts only
  // where HTTP was seen to follow before.
  return spent > 0 || worker.httpFollows.has(filterChainKey());
}

function insertHeader(worker: Worker, record: i32, lineLength: i32): void {
  for (let i = 0; i < HEADER.length; i++) head[lineLength + i] = HEADER[i];
  if (!replaceDownstreamData(lineLength, head, lineLength + HEADER.length)) {
    worker.metrics.countHostCallFailed();
    return;
  }
  const connections = worker.connections;
  connections.setHeaderInserted(record, true);
  if (connections.drainAsked(record)) return;
  connections.setDrainAsked(record);
  worker.metrics.countDrainByRequests();
}

function connectionOf(worker: Worker, contextId: u32): u64 {
  const contexts = worker.contexts;
  if (contexts.has(contextId)) return contexts.connection(contextId);
  const id = connectionId();
  if (id != UNKNOWN_CONNECTION) contexts.remember(contextId, id);
  return id;
}
