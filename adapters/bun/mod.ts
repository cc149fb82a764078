/**
 * The adapter for Bun. Streams on `Bun.listen`, UDP on `Bun.udpSocket`, Unix datagrams through FFI.
 */
import type { Adapter } from "../../runtime/core/contract.ts";
import { defaultsOf, makeFeatures } from "../features.ts";
import { DATAGRAM, STREAM } from "./options.ts";
import { listen } from "./stream.ts";

/** Makes it. */
export function makeAdapter(): Adapter {
  return {
    name: "bun",
    features: makeFeatures({ resets: true, lends: false, stream: STREAM, datagram: DATAGRAM }),
    listen,
    bind: async (endpoint, table, options) => {
      const { bind } = await import("./datagram.ts");
      return await bind(endpoint, table, options);
    },
    defaults: defaultsOf(512),
    turns: "round",
    defer: (callback) => void setImmediate(callback),
  };
}
