import type { WorkerHandle } from "./handle.ts";

/**
 * The worker with the least to do that answers; of equals, the one that has served least.
 *
 * @param once each of them serves one session.
 * @returns undefined when none can be given a session at this moment.
 */
export function leastBusy(
  handles: Iterable<WorkerHandle>,
  once: boolean,
): WorkerHandle | undefined {
  let best: WorkerHandle | undefined;
  for (const handle of handles) {
    if (handle.state !== "ready" || handle.full) continue;
    if (once && handle.served > 0) continue;
    const less = best === undefined
      ? -1
      : Number(handle.heartbeat.slow) - Number(best.heartbeat.slow) ||
        handle.live.size - best.live.size;
    if (less < 0 || (less === 0 && handle.served < best!.served)) best = handle;
  }
  return best;
}
