import type { Adapter, Support } from "../core/contract.ts";
import { kindOf } from "../core/endpoint.ts";
import type { ServicePlan, StrategyName } from "../core/plan.ts";
import type { StartExecutor } from "../services/contract.ts";

/**
 * One way of running a service: in how many threads or processes it lives. When a session has its turn
 * is the admission's affair, the same for all. CONTRIBUTING.md says how to add one.
 */
export interface Strategy {
  readonly name: StrategyName;
  /** Whether it can run the service here; asked before anything is bound. */
  check(plan: ServicePlan, adapter: Adapter): Support;
  /** What its workers are, where it has any. */
  readonly worker?: "threads" | "processes";
  /** Makes what serves the sessions. */
  readonly executor: StartExecutor;
}

/** The check of a strategy with workers. */
export function canHaveWorkers({ listen }: ServicePlan, { features }: Adapter): Support {
  if (features.descriptors !== true) return features.descriptors;
  if (!listen.some(({ endpoint }) => kindOf(endpoint.transport) === "http")) return true;
  // HTTP is served where its sockets are; how its connections reach a worker is not settled yet.
  return {
    reason: "workers cannot serve HTTP in this version",
    remedy: `say "concurrency": "async" or "serial" for http endpoints`,
  };
}
