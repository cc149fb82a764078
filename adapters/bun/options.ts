/** The options that `Bun.listen` and `Bun.udpSocket` can set by themselves; the rest is set by descriptor. */
import type { OptionName } from "../../runtime/core/contract.ts";

export const STREAM: readonly OptionName[] = ["noDelay", "reusePort", "ipv6Only", "mode"];

export { METHOD_OPTIONS as DATAGRAM } from "../datagram.ts";
