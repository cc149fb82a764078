/** The one joint between the runtime and the adapters. */
export { commandOn, loadAdapter, providePortico } from "../adapters/mod.ts";
