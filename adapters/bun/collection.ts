/** {@link Collector} of Bun, whose allocators give back by themselves what is free. */
import process from "node:process";
import type { Collector } from "../reclaim.ts";

export function bunCollector(): Collector {
  const { fullGC, heapSize } = process.getBuiltinModule(
    "bun:jsc" as "node:vm",
  ) as unknown as typeof import("bun:jsc");
  return { heapSize, collect: fullGC };
}
