/** Where a worker begins, thread or process: finds its channel, then sits down. */
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { isMainThread, workerData } from "node:worker_threads";
import type { Descriptors } from "../core/descriptors.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { ThreadData } from "../workers/launch.ts";
import { Seat } from "../workers/seat.ts";
import { loadAdapter } from "./adapter.ts";

const adapter = await loadAdapter();
const descriptors = await adapter.descriptors();
const seat = new Seat({ adapter, descriptors, ...inherit(descriptors), become });

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

/** A thread's ends are the supervisor's to close; a process has them for itself, and no stdin. */
function inherit(descriptors: Descriptors): ThreadData {
  if (!isMainThread) {
    const { channel, lane } = workerData as ThreadData;
    return { channel: descriptors.duplicate(channel), lane };
  }
  const lane = descriptors.take(0, true);
  const channel = descriptors.duplicate(0);
  descriptors.close(0);
  const stdin = openSync("/dev/null", "r");
  if (stdin > 2) closeSync(stdin);
  return { channel, lane };
}

async function become({ processes: { env: _, ...wanted } }: ServicePlan): Promise<void> {
  if (Object.keys(wanted).length === 0) return;
  const { applyProcess } = await import("../identity/mod.ts");
  await applyProcess(wanted, descriptors);
}
