/** What a worker may use of this machine, and how important it is. */
import { setPriority } from "node:os";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { ProcessPlan, Resources } from "../core/plan.ts";
import type { ProcessCalls } from "../core/process.ts";

/**
 * Limits this process, and what it starts from now on. `memory` is its supervisor's affair.
 *
 * @throws PorticoError EPERM for what this process may not have.
 */
export function applyLimits(
  { nice, ioprio, resources }: Pick<ProcessPlan, "nice" | "ioprio" | "resources">,
  calls: Pick<ProcessCalls, "limit" | "prioritizeIo">,
): void {
  if (nice !== undefined) prioritize(nice);
  if (ioprio !== undefined) calls.prioritizeIo(ioprio);
  if (resources !== undefined) limit(resources, calls);
}

/** The priority is that of this thread, and of those that it starts. */
function prioritize(nice: number): void {
  try {
    setPriority(0, nice);
  } catch (error) {
    throw new PorticoError(
      "EPERM",
      `nice ${nice}: ${messageOf(error)}; only root can make a process more important than it is`,
      { cause: error },
    );
  }
}

/** The kernel's word at the end of `cpu` is a signal that has a name; a second later it kills. */
function limit(
  { cpu, files, processes, core }: Resources,
  calls: Pick<ProcessCalls, "limit">,
): void {
  if (cpu !== undefined) {
    const seconds = Math.ceil(cpu / 1000);
    calls.limit("cpu", seconds, seconds + 1);
  }
  if (files !== undefined) calls.limit("files", files, files);
  if (processes !== undefined) calls.limit("processes", processes, processes);
  if (core !== undefined) calls.limit("core", core, core);
}
