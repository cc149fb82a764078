import type { Passing, SessionAdapter } from "../core/descriptors.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { CpuLimit } from "./cpu-limit.ts";

/** What a worker is given by its thread or process. */
export interface WorkerInput {
  readonly adapter: SessionAdapter;
  readonly passing: Passing;
  /** Ends of the channel and of the descriptor channel. Not the worker's to close. */
  readonly channel: number;
  readonly descriptorChannel: number;
  /** Becomes who the manifest says: user, group, umask, priority. */
  readonly become: (plan: ServicePlan) => Promise<void>;
  readonly cpuLimit: CpuLimit;
}
