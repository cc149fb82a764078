/**
 * The adapter for Deno. Streams on `Deno.listen`, HTTP on `Deno.serve`; datagrams on `Deno.listenDatagram` (which needs
 * `--unstable-net`), drained in batches through FFI (`--allow-ffi`). What needs the flag and does not
 * have it falls back on `node:net` and `node:dgram`.
 */
import type { Adapter } from "../../runtime/core/contract.ts";
import { connectWith, defaultsOf, descriptorsWith, dial, makeFeatures } from "../features.ts";
import { command } from "../program.ts";
import { DATAGRAM, STREAM } from "./options.ts";
import { listen } from "./stream.ts";

/** Makes it. */
export function makeAdapter(): Adapter {
  const unstable = typeof Deno.listenDatagram === "function";
  return {
    name: "deno",
    features: makeFeatures({
      endsThreads: {
        reason: "Deno cannot end a thread that is in an endless loop (denoland/deno#35657)",
        remedy: "use processes",
      },
      resets: {
        reason: "Deno.listen has no reset",
        remedy: "none is needed: the peer sees the end",
      },
      lends: true,
      stream: STREAM,
      lacks: {
        ipv6Only: {
          reason: "Deno.listen has no such option, and Deno's node:net ignores it",
          remedy: "listen on [::1] or another address",
        },
      },
      datagram: DATAGRAM,
    }),
    listen: async (endpoint, table, options) => {
      if (unstable || options.reusePort !== true) return await listen(endpoint, table, options);
      const node = await import("../node/stream.ts");
      return await node.listen(endpoint, table, options);
    },
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
    // A round of the event loop (setImmediate) costs 1.1 µs here, a microtask 0.03.
    turns: "microtasks",
    defer: (callback) => void setImmediate(callback),
  };
}
