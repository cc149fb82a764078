/** Where a worker begins, thread or process: finds its channel, then sits down. */
import process from "node:process";
import { isMainThread, workerData } from "node:worker_threads";
import type { ServicePlan } from "../core/plan.ts";
import { type Ends, takeEnds } from "./ends.ts";
import { Leash } from "./cpu-limit.ts";
import { Seat } from "./worker.ts";
import { loadAdapter } from "../adapter.ts";

const adapter = await loadAdapter();
const descriptors = await adapter.descriptors();
const calls = await adapter.processCalls();
const ends = isMainThread ? takeEnds(descriptors) : workerData as Ends;
// The CPU time of a thread is its process's.
const leash = new Leash(isMainThread ? calls.limitCpu : () => {});
const seat = new Seat({ adapter, descriptors, ...ends, become, leash });

process.on("uncaughtException", (error) => seat.report(error));
process.on("unhandledRejection", (error) => seat.report(error));
process.on("exit", () => seat.flush());
if (isMainThread) {
  // A terminal sends these to everyone; the supervisor decides what they mean.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"] as const) {
    process.on(signal, () => {});
  }
}
process.exit(await seat.run());

async function become({ processes: { env: _, ...wanted } }: ServicePlan): Promise<void> {
  if (Object.keys(wanted).length === 0) return;
  const { applyProcess } = await import("../identity/mod.ts");
  await applyProcess(wanted, calls);
}
