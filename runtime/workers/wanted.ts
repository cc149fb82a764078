/** How many workers a pool should have whose workers serve one session each. */
import type { WorkerHandle } from "./handle.ts";

/**
 * Workers that load their modules at once: that takes CPU alone, and more of them would only hold
 * descriptors and memory, and be ready later.
 */
const LOADING = Math.max(4, 2 * navigator.hardwareConcurrency);

/**
 * @param waiting sessions that have no worker yet.
 * @param max the most that there may be.
 * @param short the last one could not be started: one at a time is tried, until one can.
 */
export function wantedOnce(
  handles: ReadonlySet<Pick<WorkerHandle, "served" | "loads">>,
  waiting: number,
  max: number,
  short: boolean,
): number {
  let [busy, loading] = [0, 0];
  for (const { served, loads } of handles) {
    if (served > 0) busy++;
    if (loads) loading++;
  }
  const useful = busy + waiting + navigator.hardwareConcurrency;
  return Math.min(max, useful, handles.size + Math.max(0, (short ? 1 : LOADING) - loading));
}
