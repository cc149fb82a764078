/** The one joint between the runtime and the adapters. */
export { loadAdapter } from "../../adapters/mod.ts";
