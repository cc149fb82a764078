/**
 * The adapter for Bun. Streams on `Bun.listen`, UDP on `Bun.udpSocket`, Unix datagrams through FFI.
 */
import type { Adapter } from "../../runtime/core/contract.ts";
import { makeFeatures } from "../features.ts";
import { ffiSupport } from "../posix/libc.ts";
import { listen, NATIVE } from "./stream.ts";

/** Makes it. */
export function makeAdapter(): Adapter {
  return {
    name: "bun",
    features: makeFeatures({
      unixgram: ffiSupport(),
      resets: true,
      lends: false,
      native: NATIVE,
      datagram: () => true,
    }),
    listen,
    bind: async (endpoint, table, options) => {
      const { bind } = await import("./datagram.ts");
      return await bind(endpoint, table, options);
    },
    turns: "round",
    defer: (callback) => void setImmediate(callback),
  };
}
