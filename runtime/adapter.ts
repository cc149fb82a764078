/** The one joint between the runtime and the adapters. */
export {
  commandOn,
  compiler,
  compilesForOthers,
  loadAdapter,
  providePortico,
  type RuntimeName,
} from "../adapters/mod.ts";
