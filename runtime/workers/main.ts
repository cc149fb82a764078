/** Where a worker begins, thread or process: finds its channel, then sits down. */
import process from "node:process";
import { isMainThread, workerData } from "node:worker_threads";
import type { ServicePlan } from "../core/plan.ts";
import { type ChannelEnds, takeEnds } from "./channel-ends.ts";
import { CpuLimit } from "./cpu-limit.ts";
import { ServiceWorker } from "./worker.ts";
import { loadAdapter, providePortico } from "../adapter.ts";

await providePortico();
const adapter = await loadAdapter();
const descriptors = await adapter.descriptors();
const ends = isMainThread ? takeEnds(descriptors) : workerData as ChannelEnds;
// The CPU time of a thread is its process's.
const calls = await adapter.processCalls();
const cpuLimit = new CpuLimit(isMainThread ? calls.limitCpu : () => {});
const worker = new ServiceWorker({ adapter, descriptors, ...ends, become, cpuLimit });

adapter.onUncaught((thrown) => worker.report(thrown));
process.on("exit", () => worker.flush());
if (isMainThread) {
  // A terminal sends these to everyone; the supervisor decides what they mean.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"] as const) {
    process.on(signal, () => {});
  }
}
process.exit(await worker.run());

async function become({ processes: { env: _, ...wanted } }: ServicePlan): Promise<void> {
  if (Object.keys(wanted).length === 0) return;
  const { applyProcess } = await import("../identity/mod.ts");
  await applyProcess(wanted, calls);
}
