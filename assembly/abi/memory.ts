/**
 * Memory that the host writes to. Every host call that returns bytes asks the module's `malloc` for
 * room first, so a per-request property read would be a per-request allocation. It is not: results
 * up to `SCRATCH_SIZE` land in one static buffer, which the reader consumes before the next call.
 */

/** Bytes. Connection ids take 8, `request.protocol` 8, shared values 8; only configurations are larger. */
const SCRATCH_SIZE: usize = 256;

const scratch: usize = memory.data(256, 8);
const pointerSlot: usize = memory.data(8, 8);
const sizeSlot: usize = memory.data(8, 8);
const valueSlot: usize = memory.data(8, 8);

/** Called by the host for the room that a result needs. */
export function malloc(size: usize): usize {
  return size <= SCRATCH_SIZE ? scratch : heap.alloc(size);
}

/** Gives back what `malloc` handed out, once its bytes were read. */
export function release(pointer: usize): void {
  if (pointer != scratch && pointer != 0) heap.free(pointer);
}

/** Address of the slot in which the host leaves the address of a result. */
export function returnedPointerSlot(): usize {
  store<usize>(pointerSlot, 0);
  return pointerSlot;
}

/** Address of the slot in which the host leaves the size of a result, in bytes. */
export function returnedSizeSlot(): usize {
  store<usize>(sizeSlot, 0);
  return sizeSlot;
}

/** Address of the slot for a fixed-size result: a metric id, a time, a CAS value. */
export function returnedValueSlot(): usize {
  store<u64>(valueSlot, 0);
  return valueSlot;
}

export function returnedPointer(): usize {
  return load<usize>(pointerSlot);
}

export function returnedSize(): usize {
  return load<usize>(sizeSlot);
}

export function returnedU32(): u32 {
  return load<u32>(valueSlot);
}

export function returnedU64(): u64 {
  return load<u64>(valueSlot);
}

/**
 * Frees every unreachable object. Only an exported callback may call it, as its last act: the
 * collector does not see references that live on the stack.
 */
export function collectGarbage(): void {
  // @ts-expect-error: a builtin of the minimal runtime that AssemblyScript's types leave out
  __collect();
}
