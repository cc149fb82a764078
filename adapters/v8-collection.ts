/**
 * {@link Collector} of V8. It has no call for that without a flag, and the flag's call stops the thread for all of it.
 * But memory outside of the heap counts: 64 MiB more than there were after the last collection, and it begins one, in
 * steps and in threads beside this one. Memory that nobody touches takes none of the machine's.
 */
import process from "node:process";
import { ffiSupport, openLibc } from "./posix/libc.ts";
import type { Collector } from "./reclaim.ts";

/** Also more than what glibc learns from: freeing a smaller one changes from which size on it maps memory. */
const PRESSURE = 128 * 1024 * 1024;

export function v8Collector(): Collector {
  const { getHeapStatistics } = process.getBuiltinModule("node:v8");
  return {
    heapSize() {
      const { used_heap_size: inside, external_memory: outside } = getHeapStatistics();
      return inside + outside;
    },
    collect: () => void new ArrayBuffer(PRESSURE).transfer(0),
    async openTrim() {
      if (ffiSupport() !== true) return () => {};
      const libc = await openLibc();
      return () => libc.trimMemory();
    },
  };
}
