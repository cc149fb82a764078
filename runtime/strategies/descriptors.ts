/** Whether there are enough file descriptors for a manifest, before one that is missing stops everything. */
import { readFileSync } from "node:fs";
import type { Adapter, Support } from "../core/contract.ts";
import type { DescriptorCost } from "../core/descriptors.ts";
import { PorticoError } from "../core/errors.ts";
import type { ServicePlan } from "../core/plan.ts";
import { STRATEGIES } from "./mod.ts";

/** How many there have to be. */
export function neededDescriptors(services: readonly ServicePlan[], cost: DescriptorCost): number {
  return services.reduce((sum, { listen, concurrency: { strategy, workers } }) => {
    const { worker } = STRATEGIES[strategy];
    return sum + listen.length + (worker === undefined ? 0 : workers * cost[worker]);
  }, cost.server);
}

/** Whether this process may have as many. */
export function checkDescriptors(services: readonly ServicePlan[], { features }: Adapter): Support {
  if (features.descriptorCost === undefined) return true;
  const needed = neededDescriptors(services, features.descriptorCost);
  const most = limitOfOpenFiles();
  if (needed <= most) return true;
  return {
    reason:
      `this manifest needs ${needed} file descriptors at the least, and this process may have ${most}`,
    remedy: "raise the limit (ulimit -n, LimitNOFILE= of systemd), or say fewer workers",
  };
}

/** @throws PorticoError EMFILE, where there are too few. */
export function requireDescriptors(services: readonly ServicePlan[], adapter: Adapter): void {
  const support = checkDescriptors(services, adapter);
  if (support === true) return;
  throw new PorticoError("EMFILE", `${support.reason}: ${support.remedy}`);
}

/** The soft limit, RLIMIT_NOFILE; infinite where it cannot be read. */
function limitOfOpenFiles(): number {
  try {
    const found = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return found === null ? Infinity : Number(found[1]);
  } catch {
    return Infinity;
  }
}
