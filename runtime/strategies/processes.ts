import { inWorkers } from "./in-workers.ts";
import { canHaveWorkers, type Strategy } from "./strategy.ts";

/** In one of several long-lived processes of this runtime: pre-fork. */
export const processes: Strategy = {
  name: "processes",
  check: canHaveWorkers,
  worker: "processes",
  executor: inWorkers("launchProcess", false),
};
