import { startPool } from "../workers/executor.ts";
import { launchThread } from "../workers/launch.ts";
import { canHaveWorkers, type Strategy } from "./strategy.ts";

/** In one of several threads, each with its own event loop and its own copy of the plugin: `ThreadingMixIn`. */
export const threads: Strategy = {
  name: "threads",
  check: canHaveWorkers,
  worker: "threads",
  executor: startPool({ launch: launchThread, once: false }),
};
