/** The joint between workers and the adapters: what serves sessions, and no more. */
export { loadSessionAdapter, providePortico } from "../adapters/chosen.ts";
