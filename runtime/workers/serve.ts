/** What a worker does from its beginning to its end, in a thread or a process of its own. */
import process from "node:process";
import type { ServicePlan } from "../core/plan.ts";
import type { Passing, SessionAdapter } from "../core/descriptors.ts";
import type { ChannelEnds } from "./channel-ends.ts";
import { CpuLimit } from "./cpu-limit.ts";
import { ServiceWorker } from "./worker.ts";
import { loadSessionAdapter, providePortico } from "../worker-adapter.ts";

/**
 * Sits down at one end of a channel, until the supervisor is done with it. Does not return.
 *
 * @param isProcess it has a process of its own, and with that a limit of CPU time.
 */
export async function serve(
  takeEnds: (passing: Passing) => ChannelEnds,
  isProcess: boolean,
): Promise<never> {
  const [adapter] = await Promise.all([loadSessionAdapter(), providePortico()]);
  const passing = await adapter.passing();
  const ends = takeEnds(passing);
  // The CPU time of a thread is its process's.
  const { limitCpu } = isProcess ? await adapter.processCalls() : { limitCpu() {} };
  const worker = new ServiceWorker({
    adapter,
    passing,
    ...ends,
    become: (plan) => become(adapter, plan),
    cpuLimit: new CpuLimit(limitCpu),
  });
  adapter.onUncaught((thrown) => worker.report(thrown));
  process.on("exit", () => worker.flush());
  process.exit(await worker.run());
}

async function become(
  adapter: SessionAdapter,
  { processes: { env: _, ...wanted } }: ServicePlan,
): Promise<void> {
  if (Object.keys(wanted).length === 0) return;
  const { applyProcess } = await import("../identity/apply.ts");
  await applyProcess(wanted, await adapter.processCalls());
}
