/** The strategies, and which of them can be had here. */
import { STRATEGY_NAMES as STRATEGIES, type StrategyName } from "../../runtime/core/plan.ts";
import { lackingFeature } from "./adapter.ts";

export { STRATEGIES, type StrategyName };
/** Those whose sessions are served somewhere else than where the sockets are. */
export const WORKERS = ["threads", "processes", "spawn"] as const;
export const PROCESSES = ["processes", "spawn"] as const;

/** Why there cannot be workers here; false when there can. */
export const lackingWorkers: string | false = lackingFeature("descriptors");

/** Why a strategy cannot be had here; false when it can. */
export function lackingStrategy(strategy: StrategyName): string | false {
  return strategy === "serial" || strategy === "async" ? false : lackingWorkers;
}
