/** The one joint between the runtime and the adapters. */
export {
  commandOn,
  compiler,
  compilesForOthers,
  holdEngine,
  loadAdapter,
  providePortico,
  releaseEngine,
  type RuntimeName,
} from "../adapters/mod.ts";
