/**
 * Memory after peers that did not read. What was written for them is garbage when they have gone, and
 * collectors come as something is allocated, which may be never: until then the hundreds of megabytes of a
 * crowd stay. What is collected is free for the allocator, which may keep it, too.
 */
import { setTimeout } from "node:timers";
import { bunCollector } from "./bun/collection.ts";
import { v8Collector } from "./v8-collection.ts";

/** The memory of a runtime. */
export interface Collector {
  /** Bytes of what is alive, or has not been collected, with what it has outside of the heap. */
  heapSize(): number;
  /** Has what is garbage collected: at once, or from now on. */
  collect(): void;
  /** What gives back to the kernel what the allocator keeps, where it does not by itself. */
  openTrim?(): Promise<() => void>;
}

/** Less than so many bytes are not worth it. */
const LEAST = 16 * 1024 * 1024;
/** A crowd is leaving when there is a part of that in so many ms; what it leaves is collected when it has gone. */
const DELAY = 1000;
const LEAVING = LEAST / 8;
/** A collection has so many. */
const COLLECTION = 2000;
/** How many times as long as it took nothing of it is done again. */
const REST = 20;

let dropped = 0;
/** What it was when it was looked at last. */
let seen = 0;
let timer: ReturnType<typeof setTimeout> | undefined = undefined;
/** Until then nothing is collected. */
let rest = 0;
let collector: Collector | undefined = undefined;

/** So many bytes were to be sent to a peer that has gone. */
export function dropBytes(length: number): void {
  dropped += length;
  if (dropped < LEAST || timer !== undefined) return;
  timer = setTimeout(() => void look(), Math.max(DELAY, rest - performance.now())).unref();
}

async function look(): Promise<void> {
  const leaving = dropped - seen >= LEAVING;
  seen = dropped;
  const again = leaving || await reclaim();
  timer = undefined;
  if (again) dropBytes(0);
}

/**
 * A collection takes as long as there is much alive: it waits for a third as much that is not.
 *
 * @returns whether something came of it.
 */
async function reclaim(): Promise<boolean> {
  try {
    collector ??= "Bun" in globalThis ? bunCollector() : v8Collector();
    if (dropped < collector.heapSize() / 4) return false;
    dropped = seen = 0;
    const spent = timed(collector.collect);
    const trim = await collector.openTrim?.();
    if (trim !== undefined) await new Promise((resolve) => setTimeout(resolve, COLLECTION).unref());
    const all = spent + timed(trim);
    rest = performance.now() + REST * all;
    return true;
  } catch {
    // It cannot be had: memory comes back some time.
    return false;
  }
}

/** How many ms it takes. */
function timed(act: (() => void) | undefined): number {
  const began = performance.now();
  act?.();
  return performance.now() - began;
}
