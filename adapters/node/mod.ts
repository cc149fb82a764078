/**
 * The adapter for Node, and the baseline that the other two fall back on. Streams on `node:net`;
 * datagrams through FFI where there is one, as `node:dgram` costs twice the CPU under load and
 * knows no Unix sockets.
 */
import type { Adapter } from "../../runtime/core/contract.ts";
import { defaultsOf, makeFeatures } from "../features.ts";
import { DATAGRAM, STREAM } from "./options.ts";
import { listen } from "./stream.ts";

/** Makes it. */
export function makeAdapter(): Adapter {
  const ignored = { reason: "this runtime's node:net ignores it", remedy: "listen on [::1]" };
  return {
    name: "node",
    features: makeFeatures({
      resets: true,
      lends: false,
      stream: STREAM,
      ...(!STREAM.includes("ipv6Only") && { lacks: { ipv6Only: ignored } }),
      datagram: DATAGRAM,
    }),
    listen,
    bind: async (endpoint, table, options) => {
      const { bind } = await import("./datagram.ts");
      return await bind(endpoint, table, options);
    },
    defaults: defaultsOf(511),
    turns: "round",
    defer: (callback) => void setImmediate(callback),
  };
}
