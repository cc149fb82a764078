import { startPool } from "../workers/executor.ts";
import { launchProcess } from "../workers/launch.ts";
import { canHaveWorkers, type Strategy } from "./strategy.ts";

/** In a process of its own, which ends with it: `ForkingMixIn`, inetd's `nowait`. */
export const spawn: Strategy = {
  name: "spawn",
  check: canHaveWorkers,
  worker: "processes",
  executor: startPool({ launch: launchProcess, once: true }),
};
