/** Chains that are remembered; a proxy with more of them forgets the oldest. */
const CAPACITY: i32 = 64;

/** A small set of keys of filter chains. */
export class ChainSet {
  private readonly keys: StaticArray<u64> = new StaticArray<u64>(CAPACITY);
  private size: i32 = 0;

  has(key: u64): bool {
    const count = min(this.size, CAPACITY);
    for (let i = 0; i < count; i++) {
      if (this.keys[i] == key) return true;
    }
    return false;
  }

  add(key: u64): void {
    if (this.has(key)) return;
    this.keys[this.size % CAPACITY] = key;
    // Wraps to a full set, never to an empty one.
    this.size = this.size + 1 < 2 * CAPACITY ? this.size + 1 : CAPACITY;
  }
}
