import { startPool } from "../workers/executor.ts";
import { launchProcess } from "../workers/launch.ts";
import { canHaveWorkers, type Strategy } from "./strategy.ts";

/** In one of several long-lived processes of this runtime: pre-fork. */
export const processes: Strategy = {
  name: "processes",
  check: canHaveWorkers,
  worker: "processes",
  executor: startPool({ launch: launchProcess, once: false }),
};
