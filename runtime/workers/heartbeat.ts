/** Sees that the event loops of workers turn. */
import { setInterval } from "node:timers";
import type { WorkerHandle } from "./handle.ts";

/** The longest time between two pings, in ms. */
const PERIOD = 5000;

/**
 * Asks workers again and again; one that does not answer for `stall` ms is killed.
 *
 * @returns a function that ends it.
 */
export function watchHeartbeats(handles: ReadonlySet<WorkerHandle>, stall: number): () => void {
  if (stall === Infinity) return () => {};
  const period = Math.min(stall / 4, PERIOD);
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    // Whoever was stopped or busy itself has not read the answers yet.
    const late = now - last > 2 * period;
    last = now;
    for (const handle of handles) {
      if (late) handle.excuse();
      if (handle.state === "ready") handle.ping(stall);
    }
  }, period);
  return () => clearInterval(timer);
}
