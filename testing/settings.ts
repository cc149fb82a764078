/** What a test says of the service that it opens, and what a manifest would make of that. */
import type { Transport } from "../runtime/core/endpoint.ts";
import { PorticoError } from "../runtime/core/errors.ts";
import { Log } from "../runtime/core/log.ts";
import { type Plan, type StrategyName } from "../runtime/core/plan.ts";
import type { Plugin } from "../runtime/core/plugin.ts";
import type { Sink } from "../runtime/core/record.ts";
import { type Duration, milliseconds } from "../runtime/core/units.ts";
import { expand } from "../runtime/manifest/expand.ts";
import type { ManifestLimits, ManifestService } from "../runtime/manifest/manifest.ts";
import { loadParts } from "../runtime/manifest/parts.ts";
import { prepare } from "../runtime/manifest/prepare.ts";
import { nameOfObject, urlOfObject } from "../runtime/modules/object.ts";
import type { ReadyService } from "../runtime/services/contract.ts";
import { sinkCatalog } from "../runtime/sinks/catalog.ts";
import { describeLack } from "../runtime/strategies/lacking.ts";
import { STRATEGIES } from "../runtime/strategies/mod.ts";
import type { MemoryAdapter } from "../adapters/memory/mod.ts";

/** The transports that can be had in memory. */
export type TestedTransport = Extract<Transport, "tcp" | "unix" | "udp" | "unixgram" | "http">;

/** All are optional: a plugin without options needs none. */
export interface Settings {
  /** As in the manifest; the plugin's own schema checks and completes them. */
  readonly options?: unknown;
  /** Where peers come from: one or several. When silent, all that the plugin declares: `tcp`, `udp`, `http`. */
  readonly transport?: TestedTransport | readonly TestedTransport[];
  /** Endpoints as in the manifest, in the place of {@link transport}. */
  readonly listen?: ManifestService["listen"];
  /** `async` when silent. Threads and processes are instances of the plugin in this thread. */
  readonly strategy?: StrategyName;
  /** Of `threads` and `processes`: 2 when silent. */
  readonly workers?: number;
  /** Sessions served at once; as in the manifest when silent. One under `serial`. */
  readonly max?: number;
  /** As in the manifest. */
  readonly limits?: ManifestLimits;
  /** As in the manifest. */
  readonly access?: ManifestService["access"];
  /** The name of the service, in records; the plugin's when silent. */
  readonly name?: string;
  /** Where relative paths in `options` start; the working directory when silent. */
  readonly folder?: string;
  /** Real time that is waited for what does not come, though nothing forbids it. 1 s when silent. */
  readonly patience?: Duration;
}

/** Where each transport listens; nothing is bound. */
const ENDPOINTS: Readonly<Record<TestedTransport, string>> = {
  tcp: "tcp://127.0.0.1:7007",
  unix: "unix:/run/tested.sock",
  udp: "udp://127.0.0.1:7007",
  unixgram: "unixgram:/run/tested.dgram",
  http: "http://127.0.0.1:8080",
};

/** What is listened on for each kind that a plugin declares; and all that carries it. */
const BY_KIND = { stream: "tcp", datagram: "udp", http: "http" } as const;
const ALL_BY_KIND = {
  stream: ["tcp", "unix"],
  datagram: ["udp", "unixgram"],
  http: ["http"],
} as const;

/** Every transport that a plugin can be reached by. */
export function transportsOf({ transports }: Pick<Plugin, "transports">): TestedTransport[] {
  return transports.flatMap((kind) => ALL_BY_KIND[kind]);
}

const WITH_WORKERS: readonly StrategyName[] = ["threads", "processes"];

/** What it declares; of what is no plugin, which is told later, anything. */
function kindsOf({ transports }: Partial<Plugin>): Plugin["transports"] {
  return Array.isArray(transports) ? transports : ["stream"];
}

/** The service of a manifest that says this. */
function manifestOf(plugin: Plugin, settings: Settings): ManifestService {
  const { options, transport, listen, strategy = "async", workers = 2, max, limits, access } =
    settings;
  const transports = transport === undefined
    ? kindsOf(plugin).map((kind) => BY_KIND[kind])
    : [transport].flat();
  const split = WITH_WORKERS.includes(strategy);
  const concurrency = {
    strategy,
    // What a strategy does not have is for the others that a test goes through.
    ...(max !== undefined && strategy !== "serial" && { max }),
    ...(split && { workers }),
  } as ManifestService["concurrency"];
  return {
    // Any will do, until the plan is made: to workers of a server an object cannot be given.
    plugin: "echo",
    listen: listen ?? transports.map((name) => ENDPOINTS[name] ?? name),
    concurrency,
    log: "none",
    options,
    limits,
    access,
  };
}

/**
 * Checks it all as a server does with a manifest.
 *
 * @throws PorticoError PLUGIN_INVALID, PLUGIN_OPTIONS, MANIFEST_INVALID, NOT_SUPPORTED.
 */
export async function readyOf<Options, State>(
  given: Plugin<Options, State>,
  settings: Settings,
  sink: Sink,
  adapter: MemoryAdapter,
): Promise<ReadyService> {
  if (typeof given !== "object" || given === null) {
    throw new PorticoError("PLUGIN_INVALID", `a plugin is needed: received ${typeof given}`);
  }
  const plugin = given as unknown as Plugin;
  const { name = nameOfObject(plugin) ?? "tested", folder = "." } = settings;
  const said = Object.entries(manifestOf(plugin, settings)).filter(([, value]) =>
    value !== undefined
  );
  const value = { services: { [name]: Object.fromEntries(said) } };
  const source = { file: `${folder}/test`, value, locate: () => undefined };
  await loadParts(value);
  const expanded: Plan = expand(source, sinkCatalog);
  const object = { specifier: name, url: urlOfObject(plugin) };
  const services = expanded.services.map((each) => ({ ...each, plugin: object }));
  const plan = { ...expanded, services };
  const [prepared] = await prepare(plan, source, sinkCatalog);
  const ready = prepared!;
  const { strategy } = ready.plan.concurrency;
  // Workers are instances here, which need no descriptors to be passed.
  const features = { ...adapter.features, descriptors: true } as const;
  const support = STRATEGIES[strategy].check(ready.plan, { features } as never);
  if (support !== true) {
    throw new PorticoError("NOT_SUPPORTED", describeLack({ what: strategy, ...support }));
  }
  const log = new Log([{ name: "test", sink, level: "debug" }], (_, error) => {
    throw error;
  });
  return { ...ready, log };
}

/** In ms. @throws TypeError, RangeError for what is no duration. */
export function patienceOf({ patience = 1000 }: Settings): number {
  return milliseconds(patience, "patience");
}
