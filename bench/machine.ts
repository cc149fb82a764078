/** Where the numbers come from. */
import { cpus, release, totalmem, type } from "node:os";
import { pinned } from "./processes.ts";
import type { Runtime } from "./runtimes.ts";

export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memory: number;
  readonly system: string;
  readonly pinned: boolean;
  readonly runtimes: readonly { readonly name: string; readonly version: string }[];
}

export function machine(runtimes: readonly Runtime[]): Machine {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memory: totalmem(),
    system: `${type()} ${release()}`,
    pinned,
    runtimes: runtimes.map(({ name, version }) => ({ name, version })),
  };
}
