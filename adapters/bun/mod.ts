/**
 * The adapter for Bun. Streams on `Bun.listen`, UDP on `Bun.udpSocket`, Unix datagrams through FFI.
 */
import type { Adapter } from "../../runtime/core/contract.ts";
import { connectWith, defaultsOf, descriptorsWith, dial, makeFeatures } from "../features.ts";
import { command } from "../program.ts";
import { DATAGRAM, STREAM } from "./options.ts";
import { listen } from "./stream.ts";

/** Makes it. */
export function makeAdapter(): Adapter {
  return {
    name: "bun",
    features: makeFeatures({
      endsThreads: true,
      resets: true,
      lends: false,
      stream: STREAM,
      datagram: DATAGRAM,
    }),
    listen,
    bind: async (endpoint, table, options) => {
      const { bind } = await import("./datagram.ts");
      return await bind(endpoint, table, options);
    },
    serve: async (endpoint, table, options) => {
      const { serve } = await import("./http.ts");
      return await serve(endpoint, table, options);
    },
    connect: connectWith(async (endpoint, table, data, timeout) => {
      const { connect } = await import("./connect.ts");
      return await connect(endpoint, table, data, timeout);
    }),
    dial,
    descriptors: descriptorsWith(async () => (await import("./adopt.ts")).adopt),
    command,
    defaults: defaultsOf(512),
    turns: "round",
    defer: (callback) => void setImmediate(callback),
  };
}
