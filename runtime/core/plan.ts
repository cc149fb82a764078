/**
 * What a manifest comes to: every name resolved, every unit converted, every default filled in.
 * `manifest/expand.ts` makes it, strategies and the pipeline read it. Durations are milliseconds,
 * sizes bytes; what is unlimited is `Infinity`.
 */
import type { SocketOptions } from "./contract.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Limits } from "./limits.ts";
import type { MatchPlan } from "./prologue/match-plan.ts";
import type { TlsVersion } from "./tls.ts";
import type { EventName, Level } from "./record.ts";
import type { Resources } from "./resources.ts";

export type { EachWay, Limits, LoadLimit, Progress, RateLimit } from "./limits.ts";
export type { Resources } from "./resources.ts";

/** A whole manifest. */
export interface Plan {
  /** The manifest's file, absolute; relative paths in it start at its folder. */
  readonly file: string;
  /** Files that it names and that were read with it, absolute: files of rules. */
  readonly files: readonly string[];
  /** The path of the control socket, absolute; false for none, undefined where the manifest is silent. */
  readonly control: string | false | undefined;
  /** Who the server becomes once its sockets are open; nobody else where it is empty. */
  readonly identity: Identity;
  /** The mask of new files, umask(2); undefined leaves what was inherited. */
  readonly umask: number | undefined;
  readonly resolver: ResolverPlan;
  readonly bans: BansPlan;
  readonly services: readonly ServicePlan[];
  /** Those that do not run, as the manifest wants it. */
  readonly disabled: readonly ServicePlan[];
}

/** How names of rules are looked up. */
export interface ResolverPlan {
  /** `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; those of resolv.conf(5) when undefined. */
  readonly servers: readonly string[] | undefined;
  /** How long an answer may take, in ms, whatever servers there are. */
  readonly timeout: number;
}

/** Bans of a whole manifest. */
export interface BansPlan {
  /** Where they are kept from one start to the next, absolute; nowhere when silent. */
  readonly file?: string;
  /** How many there are at once. */
  readonly most: number;
  /** Who is never banned: `access.never` of `defaults` and of all services. */
  readonly never: readonly AccessRule[];
}

/** When a service bans somebody. */
export interface BanPlan {
  /** After so many offences of one source in `per` ms; only where a plugin or a sensor does it when silent. */
  readonly after?: { readonly count: number; readonly per: number; readonly text: string };
  /** How long, in ms. */
  readonly for: number;
  /** Offences of datagrams count, too: their senders are believed. */
  readonly datagrams: boolean;
}

/** A user and a group, as the manifest says them: names or numbers. `identity/resolve.ts` looks them up. */
export interface Identity {
  readonly user?: string | number;
  /** The user's own when silent. */
  readonly group?: string | number;
}

/** What the workers of one service are as processes. Empty but for `processes` and `spawn`. */
export interface ProcessPlan extends Identity {
  readonly umask?: number;
  /** -20 to 19, setpriority(2). */
  readonly nice?: number;
  /** Class and level, as ioprio_set(2) takes them. */
  readonly ioprio?: number;
  readonly resources?: Resources;
  /** Added to the environment that is inherited; null takes a variable out of it. */
  readonly env: Readonly<Record<string, string | null>>;
}

/** One service. */
export interface ServicePlan {
  readonly name: string;
  /**
   * The plugin as the manifest says it, and where its module is: a file: URL, or `npm:`, `jsr:`, `https:`;
   * `object:` of one that the manifest holds itself. `app`: it is what the option of `http` says.
   */
  readonly plugin: { readonly specifier: string; readonly url: string; readonly app?: true };
  /** The plugin is this package's own `admin`, which is given the server itself and its records. */
  readonly admin: boolean;
  readonly listen: readonly ListenPlan[];
  readonly concurrency: Concurrency;
  readonly log: readonly SinkPlan[];
  /** As the manifest says them: the plugin's schema checks them. */
  readonly options: unknown;
  readonly limits: Limits;
  readonly access: Access;
  /** What is said to those who come, before anything else; absent: nothing. */
  readonly banner?: Banner;
  /** When it shuts a source out of all services. */
  readonly ban?: BanPlan;
  readonly proxyProtocol?: ProxyProtocolPlan;
  /** It serves nobody itself: it tells its peers apart, and hands them to other services. */
  readonly match?: MatchPlan;
  /** Services with `match` hand it connections: it need not listen anywhere. */
  readonly reached?: true;
  /** Of {@link Session.startTls}, and of endpoints that have none of their own. */
  readonly tls?: TlsPlan;
  /** That is what `defaults` say for all: the service may have nothing to do with it. */
  readonly tlsOfDefaults?: true;
  /** Nobody has any business with it: whoever comes is refused, and banned. */
  readonly sensor?: true;
  /** Bans may be about users of this machine: peers of Unix sockets are asked who they are. */
  readonly bansUsers?: true;
  /** The manifest's folder: where relative paths of the plugin's start. */
  readonly folder: string;
  readonly processes: ProcessPlan;
}

/** Who may say, by a PROXY header, whom a connection is for. */
export interface ProxyProtocolPlan {
  /** Rules `allow`: peers of the socket itself. */
  readonly from: readonly AccessRule[];
  /** Whether there has to be a header. */
  readonly mode: "require" | "accept";
  /** How long it may take to come, in ms. */
  readonly wait: number;
}

/**
 * How TLS is spoken. Files are read where the sockets are (`services/tls/`), at the start and whenever they change:
 * of what is in them nothing is in a plan.
 */
export interface TlsPlan {
  /** `self-signed` is made at the start, for development. */
  readonly certificates: readonly TlsFiles[] | "self-signed";
  /** Absolute; more of them, one for each name. See `services/tls/folder.ts`. */
  readonly folder?: string;
  /** In lower case: whose certificate is for whoever names no server that is here; that of the first one when silent. */
  readonly default?: string;
  /** Whom a `self-signed` one is for, beside this machine: the hosts of the endpoints. */
  readonly hosts?: readonly string[];
  readonly alpn: readonly string[];
  readonly client: "none" | "request" | "require";
  /** Files of PEM, absolute. */
  readonly ca: readonly string[];
  readonly minVersion: TlsVersion;
  readonly ciphers?: string;
  /** How long a session may be resumed, in ms; 0: never. */
  readonly tickets: number;
}

/** Where a certificate is. All paths are absolute. */
export interface TlsFiles {
  /** PEM; the chain behind the certificate. */
  readonly cert: string;
  readonly key: string;
  /** DER. */
  readonly ocsp?: string;
}

/** One endpoint with its socket options. Paths are absolute. */
export interface ListenPlan {
  /** As the manifest says it, for messages. */
  readonly text: string;
  readonly endpoint: Endpoint;
  readonly options: SocketOptions;
  /** TLS from the first byte on; absent: in clear. Always there of `tls` and `https`. */
  readonly tls?: TlsPlan;
}

/** The strategies that a manifest can name. */
export const STRATEGY_NAMES = ["serial", "async", "threads", "processes", "spawn"] as const;

/** One of {@link STRATEGY_NAMES}. */
export type StrategyName = typeof STRATEGY_NAMES[number];

/** How sessions are served. */
export interface Concurrency {
  readonly strategy: StrategyName;
  /** Sessions served at once; the rest are held, unread. 1 for `serial`. */
  readonly max: number;
  /** Workers of `threads` and `processes`; resolved from `auto`. */
  readonly workers: number;
}

/** One sink of a service. */
export interface SinkPlan {
  /** Its name in `sinks`, or its type when inline. */
  readonly name: string;
  readonly type: string;
  /** The module of a type that a plugin provides, with the manifest's folder. */
  readonly module?: {
    readonly url: string;
    readonly folder: string;
    /** Of code that has changed since it was imported first. */
    readonly version?: string;
  };
  readonly level: Level;
  /** Only these events. */
  readonly events?: readonly EventName[];
  /** Only these fields of `open`, `close` and `refuse`; `values/field-words.ts` has xinetd's words. */
  readonly fields?: readonly string[];
  /** The share of sessions whose records it gets, 0 to 1. */
  readonly sample?: number;
  /** When it cannot be opened it is left out, until a reload finds it. */
  readonly optional?: boolean;
  /** What the type takes beside `type` and the policies; checked by the type's own schema. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Texts with variables, as `core/banner.ts` fills them in. */
export interface Banner {
  /** To whom is let in. */
  readonly accept?: string;
  /** To whom is turned away. */
  readonly refuse?: string;
}

/** Who may be served. The smallest range that is about a peer decides, `deny` where both are as small. */
export interface Access {
  readonly rules: readonly AccessRule[];
  /** Whether those are served whom no rule is about: unless there is an `allow`, be it empty. */
  readonly others: boolean;
}

/** Without a rule: everybody is served. */
export const EVERYBODY: Access = { rules: [], others: true };

/** Whether any rule is about users or groups of this machine. */
export function aboutAccounts({ rules }: Pick<Access, "rules">): boolean {
  return rules.some(({ subject }) => subject.startsWith("uid:") || subject.startsWith("gid:"));
}

/** Whether any rule is about certificates, which nobody knows before TLS has begun. */
export function aboutCertificates({ rules }: Pick<Access, "rules">): boolean {
  return rules.some(({ subject }) => subject.startsWith("cert:"));
}

/** Whether any rule is about names, which have to be looked up. */
export function aboutNames({ rules }: Pick<Access, "rules">): boolean {
  return rules.some(({ subject }) => subject.startsWith("host:") || subject.startsWith("domain:"));
}

/** What a rule says for the plugin, by name: text, as variables of an environment are. */
export type RuleOptions = Readonly<Record<string, string>>;

/** One rule of {@link Access}. */
export interface AccessRule {
  readonly action: "allow" | "deny";
  /** Whom it is about, as the manifest says it. */
  readonly text: string;
  /** The same with names looked up: `ADDRESS`, `ADDRESS/PREFIX`, `ADDRESS-ADDRESS`, `uid:N`, `gid:N`. */
  readonly subject: string;
  /** Where it stands, `portico.json:12:20`; undefined where values have no place in a text. */
  readonly place?: string;
  /** When it holds, as `Mon-Fri 08:00-18:00 Europe/Paris`; always when absent. */
  readonly times?: readonly string[];
  /** Sessions that it has let in end when it holds no more; those that it denies when it begins to. */
  readonly end?: true;
  /** Of an `allow`: what the plugin is told of whom it lets in. */
  readonly options?: RuleOptions;
}

/** Whether a rule, a limit or a ban asks who the peers of Unix sockets are. */
export function decidesByUser(
  { access, limits, bansUsers, proxyProtocol }: ServicePlan,
): boolean {
  const { perSource, ratePerSource } = limits;
  return aboutAccounts(access) || aboutAccounts({ rules: proxyProtocol?.from ?? [] }) ||
    bansUsers === true || perSource !== Infinity ||
    ratePerSource !== undefined && ratePerSource.count !== Infinity;
}
