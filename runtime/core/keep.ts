/** Copies of small chunks share a slab of this many bytes, as long as they are at most a sixteenth of it. */
const SLAB = 16 * 1024;
const SMALL = SLAB / 16;

let slab: Uint8Array = new Uint8Array(SLAB);
let used = 0;

/**
 * A copy of lent bytes, to keep. Making a buffer of its own for each small chunk costs ten times as
 * much as copying it; who keeps one for long keeps its slab.
 */
export function keep(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length > SMALL) return new Uint8Array(bytes);
  // It has no length any more when somebody has transferred what was in it to another thread.
  if (used + length > slab.length) {
    slab = new Uint8Array(SLAB);
    used = 0;
  }
  const start = used;
  used += length;
  slab.set(bytes, start);
  return slab.subarray(start, used);
}
