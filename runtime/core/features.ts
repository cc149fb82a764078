/** What an adapter can do, and what it lacks. */
import type { DescriptorCost } from "./descriptors.ts";
import type { Endpoint, Transport } from "./endpoint.ts";
import type { OptionName, SocketOptions } from "./options.ts";
import type { TlsFeatures } from "./tls.ts";

/** Why something cannot be done here, and what would help. */
export interface Lack {
  /** A clause: "node:ffi is switched off". */
  readonly reason: string;
  /** An imperative: "start node without --no-experimental-ffi". */
  readonly remedy?: string;
}

/** True, or why not. */
export type Support = true | Lack;

/**
 * Whose the chunks of streams are. `always`: one that is kept costs the adapter a large buffer, so what is to
 * stay is better copied. `unkept`: it may be kept as it is; where none is, the next one comes in the same buffer.
 * `never`: each has memory of its own, whatever becomes of it.
 */
export type Lends = "always" | "unkept" | "never";

/** What begins with what was put back, and takes less so than on a descriptor of which nothing was read. */
export type Unreads = readonly ("tls" | "http")[];

/** What an adapter can do here and now: on this platform, with these flags and permissions. */
export interface Features {
  readonly transports: Readonly<Record<Transport, Support>>;
  /** The abstract namespace of Linux, for `unix` and `unixgram`. */
  readonly abstract: Support;
  /** `Adapter.descriptors`: passing sockets to workers and successors, inherited sockets. */
  readonly descriptors: Support;
  /** `Adapter.processCalls`: groups of this process, and a limit of its CPU time. */
  readonly processCalls: Support;
  /** A thread whose event loop does not turn can be ended, with all that it has open. */
  readonly endsThreads: Support;
  /** A UDP socket on every address of the machine tells which one was asked, and answers from it. */
  readonly packetInfo: Support;
  /** `Connection.abort` makes the peer see a reset. */
  readonly resets: Support;
  readonly lends: Lends;
  /** Absent where nothing can be put back that was read: {@link Connection.unread}. */
  readonly unreads?: Unreads;
  /** What can be had of TLS beside the rest of it; all of it when absent. */
  readonly tls?: TlsFeatures;
  /** Absent where descriptors are not what it is made of. */
  readonly descriptorCost?: DescriptorCost;
  /** By option, then by the transports it exists for. An absent transport: the option has no meaning there. */
  readonly options: Readonly<
    Record<OptionName, Readonly<Partial<Record<Transport, Support>>>>
  >;
}

/** What an endpoint asks that an adapter lacks: an option, or the transport itself. */
export interface Missing extends Lack {
  readonly what: string;
}

/** Compares an endpoint and its options with the features; empty when all is there. */
export function missing(
  features: Features,
  endpoint: Endpoint,
  options: SocketOptions,
): Missing[] {
  const transport = endpoint.transport;
  if (transport === "fd" || transport === "systemd" || transport === "stdio") {
    const lack = features.descriptors;
    return lack === true ? [] : [{ what: `${transport}:`, ...lack }];
  }
  const found: Missing[] = [];
  const add = (what: string, support: Support): unknown =>
    support !== true && found.push({ what, ...support });
  add(transport, features.transports[transport]);
  if ("path" in endpoint && endpoint.path.startsWith("@")) add("abstract", features.abstract);
  for (const name of Object.keys(options) as OptionName[]) {
    if (options[name] === undefined) continue;
    const support = features.options[name]?.[transport];
    add(name, support ?? { reason: `it has no meaning for ${transport}` });
  }
  return found;
}
