import { launchProcess } from "../workers/launch.ts";
import type { Strategy } from "./strategy.ts";
import { startWorkers } from "./workers.ts";

/** In one of several long-lived processes of this runtime: pre-fork. */
export const processes: Strategy = {
  name: "processes",
  check: (_plan, { features }) => features.descriptors,
  start: startWorkers({ launch: launchProcess, once: false }),
};
