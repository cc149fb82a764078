/** The one joint between the runtime and the adapters. */
export { commandOn, loadAdapter } from "../adapters/mod.ts";
