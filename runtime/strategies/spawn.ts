import { inWorkers } from "./in-workers.ts";
import { canHaveWorkers, type Strategy } from "./strategy.ts";

/** In a process of its own, which ends with it: `ForkingMixIn`, inetd's `nowait`. */
export const spawn: Strategy = {
  name: "spawn",
  check: canHaveWorkers,
  worker: "processes",
  executor: inWorkers("launchProcess", true),
};
