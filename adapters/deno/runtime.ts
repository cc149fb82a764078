/**
 * The adapter for Deno. Streams on `Deno.listen`, HTTP on `Deno.serve`; datagrams on
 * `Deno.listenDatagram` (which needs `--unstable-net`), received and sent in batches through FFI
 * (`--allow-ffi`). What needs the flag and does not have it falls back on `node:net` and `node:dgram`.
 */
import { makeFeatures } from "../features.ts";
import type { Runtime } from "../session-adapter.ts";
import { now } from "./clock.ts";
import { DATAGRAM, STREAM } from "./options.ts";
import { nextPoll } from "./poll.ts";
import { tellsUncaught } from "./uncaught.ts";

/** What the adapter is made of. */
export const RUNTIME: Runtime = {
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
    lends: "always",
    unreads: ["tls", "http"],
    descriptorCost: { server: 58, threads: 20, processes: 2 },
    stream: STREAM,
    lacks: {
      ipv6Only: {
        reason: "Deno.listen has no such option, and Deno's node:net ignores it",
        remedy: "listen on [::1] or another address",
      },
    },
    datagram: DATAGRAM,
  }),
  stream: () => import("./stream.ts"),
  async secureStream() {
    const [{ descriptorLimit }, stream] = await Promise.all([
      import("../posix/descriptor-limit.ts"),
      import("../node/stream.ts"),
    ]);
    // Later there may be no descriptor to load that with, which ends Deno.
    await descriptorLimit.load();
    return stream;
  },
  datagram: () => import("./datagram.ts"),
  http: () => import("./http.ts"),
  requests: () => import("./requests.ts"),
  connect: () => import("./connect.ts"),
  spawn: async (libc) => (await import("./spawn.ts")).spawnWith(libc),
  backlog: 511,
  // A round of the event loop (setImmediate) costs 1.1 µs here, a microtask 0.03.
  turns: "microtasks",
  giveWay: (callback) => void nextPoll().then(callback),
  now,
  tellsUncaught,
};
