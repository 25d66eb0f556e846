/**
 * Which connection a network context belongs to, so that its id is read from the host once. A cache:
 * contexts that share a slot push each other out, and the id is read again.
 */

/** A power of two; context ids count up, so as many open connections hardly ever collide. */
const SLOTS: i32 = 16384;
const WORDS: i32 = 2;

export class ContextCache {
  /** Per slot: the context id, of which 0 is never a network context's, and the connection id. */
  private readonly words: StaticArray<u64> = new StaticArray<u64>(SLOTS * WORDS);

  remember(contextId: u32, connectionId: u64): void {
    const slot = slotOf(contextId);
    this.words[slot] = contextId;
    this.words[slot + 1] = connectionId;
  }

  has(contextId: u32): bool {
    return this.words[slotOf(contextId)] == contextId;
  }

  /** To be called where `has`. */
  connection(contextId: u32): u64 {
    return this.words[slotOf(contextId) + 1];
  }

  forget(contextId: u32): void {
    if (this.has(contextId)) this.words[slotOf(contextId)] = 0;
  }
}

function slotOf(contextId: u32): i32 {
  return <i32>(contextId & (SLOTS - 1)) * WORDS;
}
