import { inWorkers } from "./in-workers.ts";
import { canHaveWorkers, type Strategy } from "./strategy.ts";

/** In one of several threads, each with its own event loop and its own copy of the plugin: `ThreadingMixIn`. */
export const threads: Strategy = {
  name: "threads",
  check: canHaveWorkers,
  worker: "threads",
  executor: inWorkers("launchThread", false),
};
