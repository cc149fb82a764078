/**
 * The adapter for Node, and the baseline that the other two fall back on. Streams on `node:net`;
 * datagrams through FFI where there is one, as `node:dgram` costs twice the CPU under load and
 * knows no Unix sockets.
 */
import type { Adapter, Lack } from "../../runtime/core/contract.ts";
import { connectWith, defaultsOf, descriptorsWith, dial, makeFeatures } from "../features.ts";
import { command } from "../program.ts";
import { DATAGRAM, STREAM } from "./options.ts";
import { listen } from "./stream.ts";

const DEAF: Lack = {
  reason: "this runtime's node:net closes what it is given by descriptor",
  remedy: "use the runtime's own adapter",
};

const ALONE: Lack = {
  reason: "this runtime's node:http wants the port for itself",
  remedy: "use the runtime's own adapter",
};

/** Makes it. */
export function makeAdapter(): Adapter {
  const ignored = { reason: "this runtime's node:net ignores it", remedy: "listen on [::1]" };
  return {
    name: "node",
    features: makeFeatures({
      endsThreads: true,
      resets: true,
      lends: false,
      stream: STREAM,
      ...(!STREAM.includes("ipv6Only") && { lacks: { ipv6Only: ignored } }),
      ...("Bun" in globalThis && { descriptors: DEAF, http: { reusePort: ALONE } }),
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
    defaults: defaultsOf(511),
    turns: "round",
    defer: (callback) => void setImmediate(callback),
  };
}
