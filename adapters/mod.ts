/** The one place where the runtime is asked for its name. */
import type { Adapter } from "../runtime/core/contract.ts";

export { type CommandLine, commandOn, type RuntimeName } from "./program.ts";

/** The adapter of the runtime that runs this. Only its own modules are loaded. */
export async function loadAdapter(): Promise<Adapter> {
  const { makeAdapter } = "Bun" in globalThis
    ? await import("./bun/mod.ts")
    : "Deno" in globalThis
    ? await import("./deno/mod.ts")
    : await import("./node/mod.ts");
  return makeAdapter();
}
