/** What is looked at again and again while workers run. */
import type { ServicePlan } from "../core/plan.ts";
import { type Watched, watchHeartbeats } from "./heartbeat.ts";
import { type Measured, watchMemory } from "./memory-limit.ts";
import type { PoolGroup } from "./pool-group.ts";

/**
 * Kills workers that do not answer, and those that have become too large where the kernel does not.
 *
 * @param denied so many processes could not be started.
 * @returns a function that ends it.
 */
export function watchWorkers(
  workers: ReadonlySet<Watched & Measured>,
  { limits, processes: { resources } }: Pick<ServicePlan, "limits" | "processes">,
  group: PoolGroup | undefined,
  denied: (count: number) => void,
): () => void {
  const { memory, total } = resources ?? {};
  const all = [watchHeartbeats(workers, limits.stall)];
  if (group !== undefined) all.push(group.watch(denied));
  if (group?.boundsMemory !== true && (memory ?? total?.memory) !== undefined) {
    all.push(watchMemory(workers, memory, total?.memory));
  }
  return () => all.forEach((end) => end());
}
