/** What these tests share with the others, by one file: nothing else here knows where it is. */
export { RUNTIMES } from "../support/command.ts";
export { folder } from "../support/folder.ts";
export { Correspondent, knock, Peer } from "../support/peers.ts";
export { adapter, correspondent, lacking } from "../support/room.ts";
export { type Scope, Shared } from "../support/scope.ts";
export type { Line, Server, Wanted } from "../support/server.ts";
export { Site } from "../support/site.ts";
export { children, gone, lackingStrategy, STRATEGIES } from "../support/witness.ts";
export type { StrategyName } from "../support/witness.ts";
export { until, within } from "../support/until.ts";
export { hasProcesses } from "../../runtime/manifest/limits.ts";
export type { ServiceStatus } from "../../runtime/services/status.ts";
export { parseEndpoint } from "../../runtime/core/endpoint.ts";
