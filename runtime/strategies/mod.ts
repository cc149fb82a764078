/** The strategies, by name. */
import type { StrategyName } from "../core/plan.ts";
import { async } from "./async.ts";
import { later } from "./later.ts";
import { serial } from "./serial.ts";
import type { Strategy } from "./strategy.ts";

export const STRATEGIES: Readonly<Record<StrategyName, Strategy>> = {
  serial,
  async,
  threads: later("threads"),
  processes: later("processes"),
  spawn: later("spawn"),
};
