// By their names what other runtimes lack would keep an executable of theirs from starting.
import * as module from "node:module";

/** Has every module of this thread that imports `portico` get the module at `url`. */
export function provide(url: string): void {
  module.registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "portico" ? { url, shortCircuit: true } : next(specifier, context),
  });
}
