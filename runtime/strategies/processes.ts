import { launchProcess } from "../workers/launch.ts";
import type { Strategy } from "../services/contract.ts";
import { lacksHttp, startWorkers } from "./workers.ts";

/** In one of several long-lived processes of this runtime: pre-fork. */
export const processes: Strategy = {
  name: "processes",
  check: (plan, { features }) =>
    features.descriptors === true ? lacksHttp(plan) : features.descriptors,
  start: startWorkers({ launch: launchProcess, once: false }),
};
