/** The strategies, and which of them can be had here. */
import { STRATEGY_NAMES, type StrategyName } from "../../runtime/core/plan.ts";
import { adapter, lackingFeature } from "./adapter.ts";

export type { StrategyName };

/**
 * Those that tests go through. `serial` is `async` with one session at a time, in code that knows no runtime: one of
 * them goes through it.
 */
export const STRATEGIES: readonly StrategyName[] = STRATEGY_NAMES.filter((strategy) =>
  strategy !== "serial" || adapter.name === "node"
);

/**
 * Those of a test whose subject is a rule or a protocol, which has no part in where a session is served: all on one
 * runtime; on each of the others the one without workers and one with them, another one on each. That a strategy
 * serves as the others do is held to every runtime by the parity table.
 */
export const SAMPLE: readonly StrategyName[] = STRATEGIES.filter((strategy) =>
  adapter.name === "node" || strategy === "async" ||
  strategy === (adapter.name === "bun" ? "threads" : "processes")
);
/** Those whose sessions are served somewhere else than where the sockets are. */
export const WORKERS = ["threads", "processes", "spawn"] as const;
export const SAMPLED_WORKERS = WORKERS.filter((strategy) => SAMPLE.includes(strategy));
export const PROCESSES = ["processes", "spawn"] as const;

/** Why there cannot be workers here; false when there can. */
export const lackingWorkers: string | false = lackingFeature("descriptors");

/** Why a strategy cannot be had here; false when it can. */
export function lackingStrategy(strategy: StrategyName): string | false {
  return strategy === "serial" || strategy === "async" ? false : lackingWorkers;
}
