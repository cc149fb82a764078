/** The one joint between the runtime and the adapters. */
export { commandOn, loadAdapter, providePortico, type RuntimeName } from "../adapters/mod.ts";
