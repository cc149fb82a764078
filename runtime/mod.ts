/** What plugins and manifests import as `portico`. */
export { delimited, fixed, lengthPrefixed, lines } from "./core/stream/codec.ts";
export type { Codec, Found, Frame, Parsed, TwoWayCodec } from "./core/stream/codec.ts";
export { Framer } from "./core/stream/framer.ts";
export { pipe } from "./core/stream/pipe.ts";
export type { PipeOptions } from "./core/stream/pipe.ts";
export { writeProxyHeader } from "./core/prologue/write-proxy-header.ts";
export type { ProxiedClient, ProxyHeaderOptions } from "./core/prologue/write-proxy-header.ts";
export { Address, kindOf, parseEndpoint } from "./core/endpoint.ts";
export type { Endpoint, TlsClient, Transport } from "./core/endpoint.ts";
export { CODES, PorticoError } from "./core/errors.ts";
export type { Code, Side } from "./core/errors.ts";
export { API, defineHooks, definePlugin } from "./core/plugin.ts";
export type {
  Closed,
  ConnectOptions,
  Hooks,
  Listening,
  ListenOptions,
  Logger,
  Peer,
  Plugin,
  ReadOptions,
  RequestInfo,
  RequestSession,
  Session,
  StandardSchema,
  StartContext,
} from "./core/plugin.ts";
export type { Child, Program, Spawn } from "./core/process.ts";
export type { Matcher } from "./core/prologue/match.ts";
export type { EventName, Fields, Level, LogRecord, Sink } from "./core/record.ts";
export { clearMemory, memoryRecords } from "./sinks/memory.ts";
export { describeRecord } from "./sinks/words.ts";
export { defineSink } from "./sinks/define.ts";
export type { SinkContext, SinkDefinition } from "./sinks/define.ts";
export type { Control } from "./control/control.ts";
export type { Operator } from "./control/operator.ts";
export { defineManifest } from "./manifest/define.ts";
export type { ManifestOf, ServiceOf } from "./manifest/define.ts";
export type {
  Manifest,
  ManifestDefaults,
  ManifestLimits,
  ManifestListener,
  ManifestService,
  ManifestSink,
  PluginObject,
  SinkObject,
} from "./manifest/manifest.ts";
export type { ServerStatus, ServiceStatus } from "./services/status.ts";
export { parseDuration, parseSize } from "./core/units.ts";
export type { Duration } from "./core/units.ts";
