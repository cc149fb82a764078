/** The features of a runtime with sockets: what its adapter says, completed with what none has yet. */
import type { Features, Lack, OptionName, Support } from "../runtime/core/contract.ts";
import type { Transport } from "../runtime/core/endpoint.ts";
import { descriptorSupport, optionTable } from "./posix/options.ts";
import process from "node:process";

/** What differs from adapter to adapter. */
export interface Own {
  readonly unixgram: Support;
  readonly resets: Support;
  readonly lends: boolean;
  /** The options that stream listeners can set without a descriptor, and those that nothing can set. */
  readonly native: readonly OptionName[];
  readonly lacks?: Readonly<Partial<Record<OptionName, Lack>>>;
  /** The same of datagram sockets. */
  readonly datagram: (option: OptionName, transport: Transport) => Support;
}

const LATER: Lack = { reason: "it arrives in a later version", remedy: "use tcp or unix for now" };
const LINUX: Support = process.platform === "linux"
  ? true
  : { reason: "the abstract namespace is Linux's alone", remedy: "use a path" };

/** Puts the table together. */
export function makeFeatures(own: Own): Features {
  const stream = (option: OptionName): Support =>
    own.native.includes(option) || (own.lacks?.[option] ?? descriptorSupport(option));
  return {
    transports: {
      tcp: true,
      udp: true,
      unix: true,
      unixgram: own.unixgram,
      tls: LATER,
      http: LATER,
      https: LATER,
      "http+unix": LATER,
    },
    abstract: LINUX,
    resets: own.resets,
    lends: own.lends,
    options: optionTable(
      ["tcp", "udp", "unix", "unixgram"],
      (option, transport) =>
        transport === "tcp" || transport === "unix"
          ? stream(option)
          : own.datagram(option, transport),
    ),
  };
}
