/** The strategies, by name. */
import type { StrategyName } from "../core/plan.ts";
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
