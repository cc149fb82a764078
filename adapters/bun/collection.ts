/** {@link Collector} of Bun, whose allocators give back by themselves what is free. */
import process from "node:process";
import type { Collector } from "../reclaim.ts";

export function bunCollector(): Collector {
  // Loaded when it is needed, which other runtimes never do.
  const jsc: unknown = process.getBuiltinModule("bun:jsc" as string);
  const { fullGC, heapSize } = jsc as typeof import("bun:jsc");
  return { heapSize, collect: fullGC };
}
