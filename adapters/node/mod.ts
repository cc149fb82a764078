/**
 * The adapter for Node. Streams on `node:net`; datagrams through FFI where there is one, as
 * `node:dgram` costs twice the CPU under load and knows no Unix sockets.
 */
import type { Adapter } from "../../runtime/core/contract.ts";
import { makeFeatures } from "../features.ts";
import { ffiSupport } from "../posix/libc.ts";
import { listen, NATIVE } from "./stream.ts";

/** Makes it. */
export function makeAdapter(): Adapter {
  return {
    name: "node",
    features: makeFeatures({
      unixgram: ffiSupport(),
      resets: true,
      lends: false,
      native: NATIVE,
      lacks: {
        ...(!NATIVE.includes("ipv6Only") && {
          ipv6Only: { reason: "node:net of this runtime ignores it", remedy: "listen on [::1]" },
        }),
      },
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
