import { launchProcess } from "../workers/launch.ts";
import type { Strategy } from "../services/contract.ts";
import { lacksHttp, startWorkers } from "./workers.ts";

/** In a process of its own, which ends with it: `ForkingMixIn`, inetd's `nowait`. */
export const spawn: Strategy = {
  name: "spawn",
  check: (plan, { features }) =>
    features.descriptors === true ? lacksHttp(plan) : features.descriptors,
  start: startWorkers({ launch: launchProcess, once: true }),
};
