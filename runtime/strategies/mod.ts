/** The strategies, by name. */
import type { ServicePlan, StrategyName } from "../core/plan.ts";
import type { StartExecutor } from "../services/contract.ts";
import { async } from "./async.ts";
import { processes } from "./processes.ts";
import { serial } from "./serial.ts";
import { spawn } from "./spawn.ts";
import type { Strategy } from "./strategy.ts";
import { threads } from "./threads.ts";

export const STRATEGIES: Readonly<Record<StrategyName, Strategy>> = {
  serial,
  async,
  threads,
  processes,
  spawn,
};

/** What makes the executor of a service; of one that hands its peers to others, that. */
export function executorOf({ concurrency, match }: ServicePlan): StartExecutor {
  return match === undefined ? STRATEGIES[concurrency.strategy].executor : matching;
}

const matching: StartExecutor = async (input) => {
  const { startMatching } = await import("../matching/executor.ts");
  return await startMatching(input);
};
