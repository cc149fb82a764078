/**
 * Memory after peers that did not read. What was written for them is garbage when they have gone, and Bun's
 * collector comes as something is allocated, or every half a minute: until then the hundreds of megabytes of a
 * crowd stay.
 */
import { fullGC, heapSize } from "bun:jsc";

/** Less than so many bytes are not worth it. */
const LEAST = 16 * 1024 * 1024;
/** A crowd has so many ms to go. */
const DELAY = 1000;

let dropped = 0;
let timer: ReturnType<typeof setTimeout> | undefined = undefined;

/** So many bytes were to be sent to a peer that has gone. */
export function dropBytes(length: number): void {
  dropped += length;
  if (dropped >= LEAST) timer ??= setTimeout(collect, DELAY).unref();
}

/** A collection takes as long as there is much alive: it waits for a third as much that is not. */
function collect(): void {
  timer = undefined;
  if (dropped < heapSize() / 4) return;
  dropped = 0;
  fullGC();
}
