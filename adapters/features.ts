/** What all runtimes with sockets have in common: the table of features, and what rests on libc alone. */
import process from "node:process";
import type { Adapter, Features, Lack, OptionName, Support } from "../runtime/core/contract.ts";
import type { InternetEndpoint } from "../runtime/core/endpoint.ts";
import type { Descriptors } from "../runtime/core/descriptors.ts";
import { ffiSupport, openLibc } from "./posix/libc.ts";
import { descriptorSupport, optionTable } from "./posix/options.ts";

/** What differs from adapter to adapter. */
export interface Own {
  readonly endsThreads: Support;
  readonly resets: Support;
  readonly lends: boolean;
  /** The options that stream listeners can set by themselves, and what nothing can set. */
  readonly stream: readonly OptionName[];
  readonly lacks?: Readonly<Partial<Record<OptionName, Lack>>>;
  /** What nothing can set of an HTTP listener. */
  readonly http?: Readonly<Partial<Record<OptionName, Lack>>>;
  /** What keeps the runtime from making a connection of a descriptor. */
  readonly descriptors?: Lack;
  /** The options of UDP sockets that need no descriptor. */
  readonly datagram: readonly OptionName[];
}

const LATER: Lack = { reason: "it arrives in a later version", remedy: "use tcp or unix for now" };
const LINUX: Support = process.platform === "linux"
  ? true
  : { reason: "the abstract namespace is Linux's alone", remedy: "use a path" };

const TRANSPORTS = ["tcp", "udp", "unix", "unixgram", "http", "http+unix"] as const;

/** Puts the table together. Nothing is opened for it. */
export function makeFeatures(own: Own): Features {
  const ffi = ffiSupport();
  const stream = (option: OptionName): Support =>
    own.lacks?.[option] ?? (own.stream.includes(option) || descriptorSupport(option));
  return {
    transports: {
      tcp: true,
      udp: true,
      unix: true,
      unixgram: ffi,
      tls: LATER,
      http: true,
      https: LATER,
      "http+unix": true,
    },
    abstract: LINUX,
    descriptors: own.descriptors ?? ffi,
    endsThreads: own.endsThreads,
    resets: own.resets,
    lends: own.lends,
    options: optionTable(TRANSPORTS, (option, transport) => {
      if (transport.startsWith("http")) return own.http?.[option] ?? stream(option);
      if (transport === "tcp" || transport === "unix") return stream(option);
      return (transport === "udp" && own.datagram.includes(option)) || ffi;
    }),
  };
}

/** What options are at when a manifest is silent: the kernel's defaults, and those that are ours. */
export function defaultsOf(backlog: number): Adapter["defaults"] {
  return async () => {
    const { kernelDefaults } = await import("./posix/defaults.ts");
    const defaults = await kernelDefaults();
    return {
      ...defaults,
      backlog: { tcp: String(backlog), unix: String(backlog) },
      noDelay: { tcp: "true" },
      mode: { unix: "umask", unixgram: "umask" },
      multicast: { udp: "none" },
    };
  };
}

/**
 * {@link Adapter.descriptors}, opened at first need and once.
 *
 * @param load finds how this runtime makes a connection of a descriptor.
 */
export function descriptorsWith(
  load: () => Promise<Descriptors["adopt"]>,
): Adapter["descriptors"] {
  let made: Promise<Descriptors> | undefined;
  return () =>
    made ??= (async () => {
      const libc = await openLibc();
      const [{ makeDescriptors }, adopt] = await Promise.all([
        import("./posix/descriptors.ts"),
        load(),
      ]);
      return makeDescriptors(libc, adopt);
    })();
}

/** {@link Adapter.connect} of a runtime, with TLS beside what it has by itself. */
export function connectWith(
  plain: (...words: Parameters<Adapter["connect"]>) => Promise<void>,
): Adapter["connect"] {
  return async (endpoint, table, data, timeout, tls) => {
    if (endpoint.transport !== "tls") return await plain(endpoint, table, data, timeout);
    const { connectTls } = await import("./tls/connect.ts");
    return await connectTls(endpoint as InternetEndpoint, table, data, timeout, tls);
  };
}

/** See {@link Adapter.dial}. */
export const dial: Adapter["dial"] = async (endpoint, table) => {
  if (!("path" in endpoint) && ffiSupport() !== true) {
    const { dialDgram } = await import("./node/dgram.ts");
    return await dialDgram(endpoint, table);
  }
  const module = await import("./posix/dial.ts");
  return await module.dial(endpoint, table);
};
