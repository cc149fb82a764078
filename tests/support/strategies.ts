/** The strategies, and which of them can be had here. */
import { lackingFeature } from "./adapter.ts";

export const STRATEGIES = ["serial", "async", "threads", "processes", "spawn"] as const;
/** Those whose sessions are served somewhere else than where the sockets are. */
export const WORKERS = ["threads", "processes", "spawn"] as const;
export const PROCESSES = ["processes", "spawn"] as const;

/** The name of one. */
export type StrategyName = typeof STRATEGIES[number];

/** Why there cannot be workers here; false when there can. */
export const lackingWorkers: string | false = lackingFeature("descriptors");

/** Why a strategy cannot be had here; false when it can. */
export function lackingStrategy(strategy: StrategyName): string | false {
  return strategy === "serial" || strategy === "async" ? false : lackingWorkers;
}
