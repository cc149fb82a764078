/** What is looked at again and again while workers run. */
import type { ServicePlan } from "../core/plan.ts";
import { type Watched, watchHeartbeats } from "./heartbeat.ts";
import { type Measured, watchMemory } from "./memory-limit.ts";

/** Kills workers that do not answer, and those that have become too large. @returns a function that ends it. */
export function watchWorkers(
  workers: ReadonlySet<Watched & Measured>,
  { limits, processes: { resources } }: Pick<ServicePlan, "limits" | "processes">,
): () => void {
  const unwatch = watchHeartbeats(workers, limits.stall);
  if (resources?.memory === undefined) return unwatch;
  const unmeasure = watchMemory(workers, resources.memory);
  return () => {
    unwatch();
    unmeasure();
  };
}
