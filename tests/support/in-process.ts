/** Servers in this process: with a manifest's services, or one service of a plugin that a test writes. */
import { WEIGHT_MAX } from "../../runtime/core/admission/candidate.ts";
import { overflowOf } from "../../runtime/core/admission/overflow.ts";
import { PREFIXES } from "../../runtime/core/access/source.ts";
import { accessOf, type Addresses } from "./access.ts";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inheritedFor } from "../../runtime/activation/inherited.ts";
import type { Adapter } from "../../runtime/core/contract.ts";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { Log } from "../../runtime/core/log.ts";
import type { Access, Concurrency, Limits, TlsPlan } from "../../runtime/core/plan.ts";
import type { Hooks, Plugin } from "../../runtime/core/plugin.ts";
import type { Level, LogRecord } from "../../runtime/core/record.ts";
import { type ReadyService, Server } from "../../runtime/daemon/server.ts";
import { CertificateStore } from "../../runtime/services/tls/store.ts";
import type { Host } from "../../runtime/services/contract.ts";
import type { ServiceStatus } from "../../runtime/services/status.ts";
import { adapter } from "./adapter.ts";
import { folder } from "./folder.ts";
import { expand, prepare } from "./manifest.ts";
import { Records } from "./records.ts";
import type { Scope } from "./scope.ts";
import { within } from "./until.ts";

/** Nothing is limited. */
export const UNLIMITED: Limits = {
  sessions: Infinity,
  perSource: Infinity,
  source: PREFIXES,
  rate: { count: Infinity, per: 1000 },
  idle: Infinity,
  firstByte: Infinity,
  firstByteSaid: true,
  progress: { bytes: 0, per: Infinity },
  lifetime: Infinity,
  handler: Infinity,
  handshake: Infinity,
  handshakes: Infinity,
  hold: Infinity,
  writeBuffer: 1024 * 1024,
  waiting: { sessions: Infinity, bytes: WEIGHT_MAX },
  overflow: overflowOf("refuse"),
  rest: 0,
  drain: 1000,
  start: 1000,
  stall: Infinity,
};

/** What a service differs in from one without limits, on TCP and UDP, whose records are all kept. */
export interface Settings {
  readonly name?: string;
  readonly listen?: readonly string[];
  /** Socket options of all its addresses. */
  readonly socketOptions?: object;
  readonly limits?: Partial<Limits>;
  readonly access?: Addresses;
  readonly concurrency?: Partial<Concurrency>;
  readonly level?: Level;
  readonly options?: unknown;
  /** Of the service, and of its endpoints `tls:`. */
  readonly tls?: TlsPlan;
  readonly rules?: Access;
}

/** A plugin of these hooks, for streams and datagrams; or for requests. */
export function pluginOf(hooks: Hooks<never>): Plugin {
  const transports = hooks.fetch === undefined
    ? ["stream", "datagram"] as const
    : ["http"] as const;
  return { name: "tested", transports, start: () => hooks as Hooks };
}

/** A log with one sink. What goes wrong in it is `failed`'s, or thrown. */
export function logTo(
  write: (record: LogRecord) => void,
  level: Level = "debug",
  failed: (error: unknown) => void = (error) => {
    throw error;
  },
): Log {
  return new Log(
    [{ name: "list", sink: { write }, level, tls: true }],
    (_, error) => failed(error),
  );
}

/** A service of a plugin or hooks, ready to be started, as a manifest would make it. */
export function readyService(
  plugin: Hooks<never> | Plugin<never, never>,
  log: Log,
  settings: Settings = {},
): ReadyService {
  const { name = "tested", listen = [], socketOptions = {}, options } = settings;
  return {
    plan: {
      name,
      plugin: { specifier: name, url: "memory:" },
      admin: false,
      listen: listen.map((text) => ({
        text,
        endpoint: parseEndpoint(text),
        options: socketOptions,
        ...(text.startsWith("tls:") && { tls: settings.tls! }),
      })),
      ...(settings.tls !== undefined && { tls: settings.tls }),
      concurrency: { strategy: "async", max: Infinity, workers: 1, ...settings.concurrency },
      log: [],
      options,
      limits: { ...UNLIMITED, ...settings.limits },
      access: settings.rules ?? accessOf(settings.access),
      processes: { env: {} },
      folder: ".",
    },
    plugin: "start" in plugin ? plugin as unknown as Plugin : pluginOf(plugin),
    options: options ?? {},
    log,
  };
}

/**
 * Starts services on an adapter.
 *
 * @param certificates of those who speak TLS.
 * @throws PorticoError that names the service.
 */
export async function startReady(
  services: readonly ReadyService[],
  adapter: Adapter,
  host: Partial<Host> = {},
): Promise<Server> {
  const server = new Server({
    ...host,
    adapter,
    worker: fileURLToPath(new URL("../../runtime/worker.ts", import.meta.url).href),
    inherit: async ({ endpoint }) => await inheritedFor(endpoint, await adapter.descriptors()),
  });
  await server.start(services);
  return server;
}

/** A server that runs here, with all its records. */
export class InProcessServer<Used extends Adapter = Adapter> extends Records<LogRecord> {
  readonly adapter: Used;
  running!: Server;

  constructor(adapter: Used) {
    super();
    this.adapter = adapter;
  }

  /** A log whose records are kept here. */
  log(level?: Level, failed?: (error: unknown) => void): Log {
    return logTo((record) => this.add(record), level, failed);
  }

  /** Starts it; it is killed when `scope` is over. */
  async start(
    scope: Scope,
    services: readonly ReadyService[],
    host?: Partial<Host>,
  ): Promise<this> {
    // Files are read once: what becomes of them has tests of its own.
    const store = new CertificateStore({ watch: () => () => {}, tell() {} });
    scope.after(() => store.close());
    this.running = await startReady(services, this.adapter, { certificates: store.get, ...host });
    scope.after(() => within("the end of the server", this.running.kill()));
    return this;
  }

  /** What a service really listens on, on one transport; without these what it listens on first. */
  endpoint(service?: string, transport?: string): string {
    const found = this.running.endpoints.find((each) =>
      (service === undefined || each.service === service) &&
      (transport === undefined || each.address.transport === transport)
    );
    return String(found!.address);
  }

  /** Of a service; without a name of the only one. */
  status(service?: string): ServiceStatus {
    const all = this.running.status();
    return service === undefined ? all[0]! : all.find((each) => each.service === service)!;
  }

  live(service?: string): number {
    return this.status(service).live;
  }
}

/** Starts services as a manifest names them, beside files of its folder. @throws ManifestError, PorticoError. */
export async function startManifest(
  scope: Scope,
  services: Readonly<Record<string, object>>,
  files: Readonly<Record<string, string>> = {},
  host?: Partial<Host>,
): Promise<InProcessServer> {
  const file = join(folder(scope, files), "portico.json");
  const source = { file, value: { services }, locate: () => undefined };
  const server = new InProcessServer(adapter);
  const log = server.log();
  const prepared = await prepare(expand(source), source);
  return await server.start(scope, prepared.map((each) => ({ ...each, log })), host);
}

/** Starts one service of a plugin, or of these hooks. @param service what a manifest says of it, beside the plugin. */
export async function startHooks(
  scope: Scope,
  plugin: Hooks<never> | Plugin<never, never>,
  service: Readonly<Record<string, unknown>> = {},
): Promise<InProcessServer> {
  const { services } = expand({
    file: "/portico.json",
    value: { services: { tested: { plugin: "echo", listen: "tcp://127.0.0.1:0", ...service } } },
    locate: () => undefined,
  });
  const server = new InProcessServer(adapter);
  const made = "start" in plugin ? plugin as unknown as Plugin : pluginOf(plugin);
  const ready = { plan: services[0]!, plugin: made, options: {}, log: server.log() };
  return await server.start(scope, [ready]);
}
