import { registerHooks } from "node:module";

/** Has every module of this thread that imports `portico` get the module at `url`. */
export function provide(url: string): void {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "portico" ? { url, shortCircuit: true } : next(specifier, context),
  });
}
