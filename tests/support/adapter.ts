/** The adapter of the runtime that runs the tests, and what it cannot do here. */
import { resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { loadAdapter } from "../../adapters/mod.ts";
import type { Adapter } from "../../runtime/core/contract.ts";
import { folder } from "./folder.ts";
import type { Scope } from "./scope.ts";

export const adapter: Adapter = await loadAdapter();

type Transport = keyof Adapter["features"]["transports"];

/** Those that tests of every transport go through. */
export type PlainTransport = "tcp" | "unix" | "udp" | "unixgram";

/** Why a transport cannot be had here; false when it can. */
export function lackingTransport(transport: Transport): string | false {
  const support = adapter.features.transports[transport];
  return support === true ? false : support.reason;
}

/** Why a feature cannot be had here; false when it can. */
export function lackingFeature(
  feature: "descriptors" | "processCalls" | "abstract" | "packetInfo",
): string | false {
  const support = adapter.features[feature];
  return support === true ? false : support.reason;
}

/** A free address: port 0, or a path in a folder of its own. */
export function freeAddress(scope: Scope, transport: PlainTransport): string {
  return transport.startsWith("unix")
    ? `${transport}:${resolve(folder(scope, {}), "a.sock")}`
    : `${transport}://127.0.0.1:0`;
}

/** Has the garbage collector run, by what the runtime has for that. */
export function collectGarbage(): void {
  const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };
  if (Bun !== undefined) return Bun.gc(true);
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}
