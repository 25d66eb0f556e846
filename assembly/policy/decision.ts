import { UNLIMITED } from "../config/keys";

/** What should become of a connection now that a request of it has arrived. */
export const enum Decision {
  /** It stays open. */
  Keep,
  /** The response to this request is its last: it has had its number of requests. */
  DrainByRequests,
  /** The same, were it not for shadow mode. */
  WouldDrainByRequests,
}

/**
 * The decision, made once for each request when it arrives.
 *
 * @param spent what the connection's requests have cost, this one included
 * @param limit what they may cost, or `UNLIMITED`: the request that reaches it is the last
 */
export function decide(spent: u32, limit: i32, shadowMode: bool): Decision {
  if (limit == UNLIMITED) return Decision.Keep;
  if (spent < <u32>limit) return Decision.Keep;
  if (shadowMode) return Decision.WouldDrainByRequests;
  return Decision.DrainByRequests;
}
