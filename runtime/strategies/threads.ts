import { launchThread } from "../workers/launch.ts";
import type { Strategy } from "../services/contract.ts";
import { lacksHttp, startWorkers } from "./workers.ts";

/** In one of several threads, each with its own event loop and its own copy of the plugin: `ThreadingMixIn`. */
export const threads: Strategy = {
  name: "threads",
  check: (plan, { features }) =>
    features.descriptors === true ? lacksHttp(plan) : features.descriptors,
  start: startWorkers({ launch: launchThread, once: false }),
};
