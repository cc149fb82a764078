/** The table of features of all runtimes with sockets: what a runtime does by itself, and what rests on libc. */
import process from "node:process";
import type {
  Features,
  Lack,
  Lends,
  OptionName,
  Support,
  Unreads,
} from "../runtime/core/contract.ts";
import type { DescriptorCost } from "../runtime/core/descriptors.ts";
import { kindOf } from "../runtime/core/endpoint.ts";
import { ffiSupport } from "./posix/libc.ts";
import { TLS_FEATURES } from "./tls/features.ts";
import { descriptorSupport, optionTable } from "./posix/options.ts";

/** What differs from runtime to runtime. */
export interface RuntimeFeatures {
  readonly endsThreads: Support;
  readonly resets: Support;
  readonly lends: Lends;
  readonly unreads?: Unreads;
  readonly descriptorCost: DescriptorCost;
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

const LINUX: Support = process.platform === "linux"
  ? true
  : { reason: "the abstract namespace is Linux's alone", remedy: "use a path" };

const TRANSPORTS = [
  ...["tcp", "tls", "udp", "unix", "unixgram", "http", "https", "http+unix"] as const,
];

/** Puts the table together. Nothing is opened for it. */
export function makeFeatures(own: RuntimeFeatures): Features {
  const ffi = ffiSupport();
  const stream = (option: OptionName): Support =>
    own.lacks?.[option] ?? (own.stream.includes(option) || descriptorSupport(option));
  return {
    transports: {
      tcp: true,
      udp: true,
      unix: true,
      unixgram: ffi,
      tls: true,
      http: true,
      https: true,
      "http+unix": true,
    },
    abstract: LINUX,
    descriptors: own.descriptors ?? ffi,
    processCalls: ffi,
    packetInfo: ffi,
    tls: TLS_FEATURES,
    endsThreads: own.endsThreads,
    resets: own.resets,
    lends: own.lends,
    ...(own.unreads !== undefined && { unreads: own.unreads }),
    descriptorCost: own.descriptorCost,
    options: optionTable(TRANSPORTS, (option, transport) => {
      if (transport.startsWith("http")) return own.http?.[option] ?? stream(option);
      if (kindOf(transport) === "stream") return stream(option);
      return (transport === "udp" && own.datagram.includes(option)) || ffi;
    }),
  };
}
