/** What plugins and manifests import as `portico`. */
export { delimited, fixed, lengthPrefixed } from "./core/stream/codec.ts";
export type { Codec, Frame } from "./core/stream/codec.ts";
export { Address, kindOf, parseEndpoint } from "./core/endpoint.ts";
export type { Endpoint, Transport } from "./core/endpoint.ts";
export { CODES, PorticoError } from "./core/errors.ts";
export type { Code, Side } from "./core/errors.ts";
export { API, definePlugin } from "./core/plugin.ts";
export type {
  ConnectOptions,
  Hooks,
  Logger,
  Peer,
  Plugin,
  RequestInfo,
  RequestSession,
  Session,
  StandardSchema,
  StartContext,
} from "./core/plugin.ts";
export type { EventName, Fields, Level, LogRecord, Sink } from "./core/record.ts";
export { clearMemory, memoryRecords } from "./sinks/memory.ts";
export { defineSink } from "./sinks/define.ts";
export type { SinkContext, SinkDefinition } from "./sinks/define.ts";
export type { Control } from "./control/control.ts";
export type { Operator } from "./control/operator.ts";
export { defineManifest } from "./manifest/define.ts";
export type { Manifest } from "./manifest/schema.ts";
export type { ServerStatus, ServiceStatus } from "./services/status.ts";
export { parseDuration, parseSize } from "./values/units.ts";
