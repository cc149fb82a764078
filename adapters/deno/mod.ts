/**
 * The adapter for Deno. Streams on `Deno.listen`; datagrams on `Deno.listenDatagram` (which needs
 * `--unstable-net`), drained in batches through FFI (`--allow-ffi`).
 */
import type { Adapter } from "../../runtime/core/contract.ts";
import { makeFeatures } from "../features.ts";
import { listen, NATIVE } from "./stream.ts";

const UNSTABLE = {
  reason: "Deno runs without --unstable-net",
  remedy: "start it with deno run --unstable-net",
};

/** Makes it. */
export function makeAdapter(): Adapter {
  const unstable = typeof Deno.listenDatagram === "function";
  return {
    name: "deno",
    features: makeFeatures({
      unixgram: unstable || UNSTABLE,
      resets: {
        reason: "Deno.listen has no reset",
        remedy: "none is needed: the peer sees the end",
      },
      lends: true,
      native: unstable ? NATIVE : NATIVE.filter((name) => name !== "reusePort"),
      lacks: {
        ...(!unstable && { reusePort: UNSTABLE }),
        ipv6Only: {
          reason: "Deno.listen has no such option",
          remedy: "listen on [::1] or another address",
        },
      },
      datagram: () => true,
    }),
    listen,
    bind: async (endpoint, table, options) => {
      const { bind } = await import("./datagram.ts");
      return await bind(endpoint, table, options);
    },
    // A round of the event loop (setImmediate) costs 1.1 µs here, a microtask 0.03.
    turns: "microtasks",
    defer: (callback) => void setImmediate(callback),
  };
}
