import { Limits } from "../policy/limits";

/**
 * Seconds without a tick after which a root context is taken for gone. They tick once a second, all
 * on the same thread, and the worker's clock takes at least ten ticks to count this far.
 */
const SILENT_SECONDS: u32 = 100;

/** One use of the plugin: a root context and its configuration. */
export class Root {
  /** `null` until a configuration was accepted; its requests pass untouched. */
  limits: Limits | null = null;
  trackedBound: i32 = 0;
  heardAt: u32 = 0;

  constructor(readonly id: u32) {}
}

/**
 * The root contexts of this VM: one for each configuration of each listener, and for a while also
 * the previous ones, whose connections are draining.
 *
 * Envoy would tell of a deleted root context through `proxy_on_done`, but then it would also call
 * that for every request. Root contexts that stopped ticking are dropped instead.
 */
export class Roots {
  private roots: Root[] = [];
  private streamId: u32 = 0;
  private streamRoot: Root | null = null;

  /** @param seconds the worker's clock */
  add(id: u32, seconds: u32): Root {
    const root = new Root(id);
    root.heardAt = seconds;
    this.roots.push(root);
    return root;
  }

  find(id: u32): Root | null {
    for (let i = 0; i < this.roots.length; i++) {
      const root = this.roots[i];
      if (root.id == id) return root;
    }
    return null;
  }

  /** A stream context was created. */
  addStream(id: u32, rootId: u32): void {
    this.streamId = id;
    const last = this.streamRoot;
    if (last != null && last.id == rootId) return;
    this.streamRoot = this.find(rootId);
  }

  /**
   * The root context of a stream, or `null` if it is not known. Envoy creates a stream context
   * directly before its request headers, so remembering the newest one is enough.
   */
  ofStream(id: u32): Root | null {
    return id == this.streamId ? this.streamRoot : null;
  }

  /** The largest table of connections that a configuration of this VM asks for; 0 if none does. */
  get trackedBound(): i32 {
    let bound = 0;
    for (let i = 0; i < this.roots.length; i++) bound = max(bound, this.roots[i].trackedBound);
    return bound;
  }

  /**
   * A root context ticked.
   * @param seconds the worker's clock
   * @returns whether others were found to be gone, and were dropped
   */
  heard(id: u32, seconds: u32): bool {
    const root = this.find(id);
    if (root != null) root.heardAt = seconds;
    const before = this.roots.length;
    for (let i = before - 1; i >= 0; i--) {
      if (seconds - this.roots[i].heardAt > SILENT_SECONDS) this.roots.splice(i, 1);
    }
    return this.roots.length != before;
  }
}
