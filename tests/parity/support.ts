/** What these tests share with the others, by one file: nothing else here knows where it is. */
export { adapter, lackingFeature, lackingTransport } from "../support/adapter.ts";
export { type CertificateName, certificates } from "../support/certificates.ts";
export { RUNTIMES } from "../support/command.ts";
export { folder } from "../support/folder.ts";
export { ManagedServer } from "../support/managed-server.ts";
export { DatagramClient, knock, openDatagrams, StreamClient } from "../support/peers.ts";
export { children, gone } from "../support/proc.ts";
export type { RecordPattern } from "../support/records.ts";
export { type Scope, Shared } from "../support/scope.ts";
export type { JsonRecord, ServerProcess } from "../support/server-process.ts";
export { STRATEGY_NAMES } from "../../runtime/core/plan.ts";
export { lackingStrategy, STRATEGIES } from "../support/strategies.ts";
export type { StrategyName } from "../support/strategies.ts";
export { until, within } from "../support/until.ts";
export { hasProcesses, hasWorkers } from "../../runtime/manifest/limits.ts";
export type { ServiceStatus } from "../../runtime/services/status.ts";
export { parseEndpoint } from "../../runtime/core/endpoint.ts";
export { Address } from "../../runtime/core/endpoint.ts";
export {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../../runtime/core/prologue/write-proxy-header.ts";
