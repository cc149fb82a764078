/** The options that `node:net` and `node:dgram` can set by themselves; the rest is set by descriptor. */
import type { OptionName } from "../../runtime/core/contract.ts";
import { CALLED_OPTIONS } from "../datagram.ts";

export const STREAM: readonly OptionName[] = [
  "noDelay",
  "reusePort",
  "mode",
  // Ignored by the node:net of Bun, and by that of Deno.
  ...("Bun" in globalThis ? [] : ["backlog" as const]),
  ...("Deno" in globalThis ? [] : ["keepAlive" as const, "ipv6Only" as const]),
];

export const DATAGRAM: readonly OptionName[] = [
  "receiveBuffer",
  "sendBuffer",
  "reusePort",
  "ipv6Only",
  ...CALLED_OPTIONS,
];
