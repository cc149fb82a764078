/** The options that `Deno.listen` and `Deno.listenDatagram` can set by themselves; the rest is set by descriptor. */
import type { OptionName } from "../../runtime/core/contract.ts";
import { METHOD_OPTIONS } from "../datagram.ts";

export const STREAM: readonly OptionName[] = ["noDelay", "reusePort", "mode"];

/** Of UDP; what `Deno.listenDatagram` lacks, `node:dgram` has. */
export const DATAGRAM: readonly OptionName[] = [
  "ipv6Only",
  ...METHOD_OPTIONS,
];
