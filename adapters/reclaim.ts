/** Has the memory collected that was dropped, and what is free then goes back to the kernel: see `dropped.ts`. */
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

/** A collection has so many ms. */
const COLLECTION = 2000;

let collector: Collector | undefined = undefined;

/**
 * A collection takes as long as there is much alive: it waits for a third as much that is not.
 *
 * @param dropped so many bytes are garbage.
 * @returns how long it has kept the thread, in ms; undefined when nothing was done.
 */
export async function reclaim(dropped: number): Promise<number | undefined> {
  collector ??= "Bun" in globalThis ? bunCollector() : v8Collector();
  if (dropped < collector.heapSize() / 4) return undefined;
  const spent = timed(collector.collect);
  const trim = await collector.openTrim?.();
  if (trim === undefined) return spent;
  await new Promise((resolve) => setTimeout(resolve, COLLECTION).unref());
  return spent + timed(trim);
}

/** How many ms it takes. */
function timed(act: () => void): number {
  const began = performance.now();
  act();
  return performance.now() - began;
}
