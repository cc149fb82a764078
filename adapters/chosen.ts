/** The one place where the runtime is asked for its name. */
import type { Adapter } from "../runtime/core/contract.ts";
import type { SessionAdapter } from "../runtime/core/descriptors.ts";

/** The adapter of the runtime that runs this. Only its own modules are loaded. */
export async function loadAdapter(): Promise<Adapter> {
  const { makeAdapter } = "Bun" in globalThis
    ? await import("./bun/mod.ts")
    : "Deno" in globalThis
    ? await import("./deno/mod.ts")
    : await import("./node/mod.ts");
  return makeAdapter();
}

/** What of it serves sessions, for a worker, which is ready as much earlier. */
export async function loadSessionAdapter(): Promise<SessionAdapter> {
  const [{ sessionAdapter }, { RUNTIME }] = await Promise.all([
    import("./session-adapter.ts"),
    "Bun" in globalThis
      ? import("./bun/runtime.ts")
      : "Deno" in globalThis
      ? import("./deno/runtime.ts")
      : import("./node/runtime.ts"),
  ]);
  return sessionAdapter(RUNTIME);
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
