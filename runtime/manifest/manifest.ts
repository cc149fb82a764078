/**
 * What a manifest may say, as types: those of `schema.ts`, which checks it and must agree with them.
 * Written out, since what is inferred there is 100 KiB that every author's compiler would have to read.
 */
import type { SocketOptions } from "../core/contract.ts";
import type { StrategyName } from "../core/plan.ts";
import type { Plugin, StandardSchema } from "../core/plugin.ts";
import type { EventName, Level, Sink } from "../core/record.ts";
import type { Duration } from "../core/units.ts";
import type { ManifestAccess, ManifestServiceAccess } from "./access-types.ts";
import type { ManifestCount, ManifestLimits, ManifestSize } from "./limit-types.ts";
import type { ManifestTls, ManifestTlsWord } from "./tls-types.ts";
import type { ManifestMatch } from "./match-types.ts";

export type {
  ManifestCount,
  ManifestEachWay,
  ManifestLimits,
  ManifestOverflow,
  ManifestProgress,
  ManifestRate,
  ManifestSize,
} from "./limit-types.ts";

/** What `portico.ts` exports, and what a JSON manifest says. */
export interface Manifest extends Identity {
  /** The JSON Schema of this file, for editors. */
  $schema?: string | undefined;
  /** Short names for plugins of this manifest. */
  plugins?: Record<string, string | PluginObject> | undefined;
  /** Sinks by name. */
  sinks?: Record<string, ManifestSink | SinkObject> | undefined;
  /** Merged under every service. */
  defaults?: ManifestDefaults | undefined;
  /** How names of hosts and domains in `access` are looked up. */
  resolver?: ManifestResolver | undefined;
  /** Lists of addresses by name, for `access`, where they are called `@NAME`. */
  groups?: Record<string, string[]> | undefined;
  /** Where bans are kept, and how many. */
  bans?: ManifestBans | undefined;
  /** Folders with services in files of their own, `NAME.json` or `NAME.jsonc`: one each, or several under `services`. */
  includedir?: string | string[] | undefined;
  /** Where `portico ctl` reaches the server, as `unix:./control.sock`; false: nowhere. */
  control?: string | false | undefined;
  /** By name: letters, digits, `-` and `_`. At least one. */
  services: Record<string, ManifestService>;
}

/** A plugin, whatever its options and state; or what answers requests, as a Hono app. */
export type PluginObject =
  | (Omit<Plugin, "options" | "fits" | "probe" | "start"> & {
    readonly options?: StandardSchema;
    readonly fits?: (options: never, listen: never) => string | undefined;
    readonly probe?: (options: never, context: never) => string | undefined;
    readonly start: (context: never) => unknown;
  })
  | { fetch(request: Request, ...rest: never[]): Response | Promise<Response> };

/** A sink that is open, a function that takes records, or a type of sink. It is closed with the server. */
export type SinkObject =
  | Sink
  | Sink["write"]
  | {
    readonly name: string;
    readonly options?: StandardSchema;
    open(options: never, context: never): unknown;
  };

/** One service. */
export interface ManifestService extends ManifestDefaults, Identity {
  /**
   * A built-in plugin, a short name, `./path` or an npm package; in a program or a `portico.ts` also the
   * plugin itself, which then stays in this thread: not with `threads`, `processes` and `spawn`. Only where there
   * is `match` it is absent.
   */
  plugin?: string | PluginObject | undefined;
  /** In the place of a plugin: which service a peer is for, by the first that it says. */
  match?: ManifestMatch | undefined;
  /** It is checked, and does not run. */
  disable?: boolean | undefined;
  /**
   * Where it listens; of the admin plugin `http+unix:./admin.sock`, for its own user, when silent. Whom `match` of
   * others leads to need not listen.
   */
  listen?: string | ManifestListener | (string | ManifestListener)[] | undefined;
  /** Beside what `log` of `defaults` has; without these of it. */
  "log+="?: ManifestDefaults["log"];
  "log-="?: ManifestDefaults["log"];
  /** Who is served; with `allow+=` and the like beside what `defaults` has. */
  access?: ManifestServiceAccess | undefined;
  /** Checked by the plugin's own schema. */
  options?: unknown;
  /** Its peers come through a balancer, which says who they are. */
  proxyProtocol?: ManifestProxyProtocol | undefined;
  /** The priority of its processes, -20 to 19, which is the least; below 0 needs root. */
  nice?: number | undefined;
  /** The priority of their I/O: `idle`, `best-effort:7`, `realtime:0`. */
  ioprio?: string | undefined;
  /** What each of its processes may use. */
  resources?: ManifestResources | undefined;
  /** Variables of its processes, added to those of the server; null takes one away. */
  env?: Record<string, string | null> | undefined;
}

/** What `defaults` may hold, and each service. */
export interface ManifestDefaults {
  /** How sessions are served; `async` when silent. */
  concurrency?: StrategyName | ManifestConcurrency | undefined;
  /** Where records go; `console` when silent. */
  log?: string | ManifestSink | SinkObject | (string | ManifestSink | SinkObject)[] | undefined;
  /** Counts, rates and deadlines, and what happens at the limit. */
  limits?: ManifestLimits | undefined;
  /** Who is served: all when silent; the smallest range of both lists decides. */
  access?: ManifestAccess | undefined;
  /** What is said to whom is let in, as text; or that, and what is said to whom is turned away. */
  banner?: string | {
    accept?: ManifestBanner | undefined;
    refuse?: ManifestBanner | undefined;
  } | undefined;
  /** When a source is shut out of all services of the manifest. */
  ban?: ManifestBan | undefined;
  /** Its certificates, and how TLS is spoken with them. */
  tls?: ManifestTlsWord | ManifestTls | undefined;
}

/** The PROXY protocol, versions 1 and 2, over streams. */
export interface ManifestProxyProtocol {
  /** Which balancers may say whom a connection is for, as the `from` of a rule; whoever else does is refused. */
  from: string[];
  /** `require`, when silent: there has to be a header. `accept`: whoever sends none is served as itself. */
  mode?: "require" | "accept" | undefined;
  /** How long it may take to come; `3s` when silent. */
  wait?: Duration | undefined;
}

/** When a service bans somebody. */
export interface ManifestBan {
  /** `5 refusals in 1m`, of one source; `none`. Offences that the plugin tells of count as refusals do. */
  after?: string | undefined;
  /** For how long; an hour when silent, `none`: until it is lifted. */
  for?: Duration | undefined;
  /** Those of datagrams count, too, though senders can be forged. */
  datagrams?: boolean | undefined;
}

/** The bans of all services. */
export interface ManifestBans {
  /** They outlive a restart there. */
  file?: string | undefined;
  /** How many at once; 10,000 when silent. */
  most?: number | undefined;
}

/** Text with `${remote}` and the like, or a file of such text. */
export type ManifestBanner = string | { file: string };

/** How names are looked up. */
export interface ManifestResolver {
  /** `192.0.2.53`, `127.0.0.1:5353`, `[::1]:53`; those of `/etc/resolv.conf` when silent. */
  servers?: string[] | undefined;
  /** How long a name may take, and somebody waits who has none yet; `5s` when silent. */
  timeout?: Duration | undefined;
}

/** What a process may use of this machine. */
export interface ManifestResources {
  /** Memory that is resident; a process above it is killed, and replaced. */
  memory?: ManifestSize | undefined;
  /** CPU time since its start, in whole seconds. */
  cpu?: Duration | undefined;
  /** Descriptors that are open at once, 64 or more. */
  files?: number | undefined;
  /** Processes and threads of its user, on the whole machine; root may have more. */
  processes?: number | undefined;
  /** Size of a core dump; 0 for none. */
  core?: ManifestSize | undefined;
  /** What all its processes together may use: control groups, cgroups(7). */
  total?: {
    /** Memory; above it one of them is killed, and replaced. */
    memory?: ManifestSize | undefined;
    /** CPU time, as `"50%"` of one CPU or `"150%"`; they are held up above it. */
    cpu?: string | undefined;
    /** Processes and threads; no more can be started. */
    processes?: number | undefined;
  } | undefined;
}

/** A strategy, with how many sessions it serves at once, and in how many workers: `auto` is one for each core. */
export type ManifestConcurrency =
  | { strategy: "serial" }
  | { strategy: "async" | "spawn"; max?: ManifestCount | undefined }
  | {
    strategy: "threads" | "processes";
    max?: ManifestCount | undefined;
    workers?: number | string | undefined;
  };

/** A sink, or a reference to one. What its type takes stands beside these. */
export interface ManifestSink {
  /** One that comes along, a name of `sinks`, or a plugin's: a short name of `plugins`, `./path` or a package. */
  type: string | SinkObject;
  /** The least level that it takes; `info` when silent. */
  level?: Level | undefined;
  /** Only these events; all when silent. */
  events?: EventName[] | undefined;
  /** Which fields `open`, `close` and `refuse` have beside service and session; all when silent. */
  fields?: string[] | undefined;
  /** The share of the sessions whose records it takes, 0 to 1; warnings and errors always. */
  sample?: number | undefined;
  /** When it cannot be opened, the server starts without it. */
  optional?: boolean | undefined;
  [option: string]: unknown;
}

/** An endpoint with options of its socket. */
export type ManifestListener =
  & {
    endpoint: string;
    /** TLS from the first byte on: as the service has it, or what differs here. */
    tls?: true | ManifestTlsWord | ManifestTls | undefined;
  }
  & Written<Omit<SocketOptions, SocketUnits>>
  & {
    keepAlive?: Duration | undefined;
    deferAccept?: Duration | undefined;
    userTimeout?: Duration | undefined;
    receiveBuffer?: ManifestSize | undefined;
    sendBuffer?: ManifestSize | undefined;
    /** Permissions of the socket file, in octal: `"0660"`. */
    mode?: string | undefined;
    /** Groups to join, each GROUP or GROUP%INTERFACE-ADDRESS. */
    multicast?: string[] | undefined;
  };

/** Socket options that a manifest writes otherwise than the core has them. */
type SocketUnits =
  | "keepAlive"
  | "deferAccept"
  | "userTimeout"
  | "receiveBuffer"
  | "sendBuffer"
  | "mode"
  | "multicast";

type Written<Options> = { -readonly [Key in keyof Options]?: Options[Key] | undefined };

/** Who a process is, and what its files may be. */
interface Identity {
  /** Who it runs as, once its sockets are open: a name or number. */
  user?: string | number | undefined;
  /** The group it runs as; the user's own when silent. */
  group?: string | number | undefined;
  /** Permissions that new files do not get, in octal: `"027"`. */
  umask?: string | undefined;
}
