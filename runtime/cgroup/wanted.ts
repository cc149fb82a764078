/** What `resources` comes to in the files of control groups. */
import type { Resources } from "../core/plan.ts";
import type { Controller } from "./place.ts";

/** Which controllers could keep them. */
export function wantedControllers({ memory, processes, total }: Resources): Controller[] {
  return [
    ...(memory !== undefined || total?.memory !== undefined ? ["memory" as const] : []),
    ...(total?.cpu !== undefined ? ["cpu" as const] : []),
    ...(processes !== undefined || total?.processes !== undefined ? ["pids" as const] : []),
  ];
}

/** A limit: the controller, its file, what is written into it. */
export type KernelLimit = readonly [controller: Controller, file: string, text: string];

/** Of a service as a whole, and of each worker. */
export interface KernelLimits {
  readonly service: readonly KernelLimit[];
  readonly worker: readonly KernelLimit[];
}

/** Microseconds in which a quota is given out. */
const PERIOD = 100_000;

export function kernelLimits({ memory, processes, total = {} }: Resources): KernelLimits {
  const max = (value: number | undefined): string => value === undefined ? "max" : String(value);
  const quota = total.cpu === undefined ? "max" : String(Math.round(total.cpu * PERIOD));
  return {
    service: [
      ["memory", "memory.max", max(total.memory)],
      ["pids", "pids.max", max(total.processes)],
      ["cpu", "cpu.max", `${quota} ${PERIOD}`],
    ],
    worker: [
      ["memory", "memory.max", max(memory)],
      // What a worker has started goes with it: none of it would be any good.
      ["memory", "memory.oom.group", "1"],
      ["pids", "pids.max", max(processes)],
    ],
  };
}
