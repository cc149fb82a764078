/** Where the numbers come from. */
import { cpus, release, totalmem, type } from "node:os";
import { compiles } from "./compiler.ts";
import { pinned } from "./processes.ts";
import type { Runtime } from "./runtimes.ts";

export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memory: number;
  readonly system: string;
  readonly pinned: boolean;
  readonly runtimes: { readonly name: string; readonly version: string }[];
  /** What has made the load. */
  readonly client: "C" | "Bun";
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
    client: compiles() ? "C" : "Bun",
  };
}
