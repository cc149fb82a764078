/** The one place where the runtime is asked for its name. */
import type { Adapter } from "../runtime/core/contract.ts";
import { holdV8, releaseV8 } from "./v8.ts";

export { compiler, compilesForOthers, type Source } from "./compile.ts";
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

/** Keeps the engine small while a server is loaded, until {@link releaseEngine}. */
export function holdEngine(): void {
  if (!("Bun" in globalThis)) holdV8();
}

/** The server is ready. */
export function releaseEngine(): void {
  if (!("Bun" in globalThis)) releaseV8();
}

/**
 * Has plugins and manifests, wherever they lie, import the `portico` that runs them, once for each
 * thread. Deno has that in the import map of a checkout, and from node_modules beside a package.
 */
export async function providePortico(): Promise<void> {
  if ("Deno" in globalThis) return;
  const { provide } = "Bun" in globalThis
    ? await import("./bun/own-module.ts")
    : await import("./node/own-module.ts");
  provide(new URL("../runtime/mod.ts", import.meta.url).href);
}
