/** What the runtime has of the adapters: the one of the runtime that runs this, and how others are started. */
export { loadAdapter, providePortico } from "./chosen.ts";
export { compiler, compilesForOthers, type Source } from "./compile.ts";
export { type CommandLine, commandOn, type RuntimeName } from "./program.ts";
export { holdEngine, releaseEngine } from "./v8.ts";
