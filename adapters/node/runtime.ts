/**
 * The adapter for Node, and the baseline that the other two fall back on. Streams on `node:net`, HTTP
 * on `node:http`; datagrams through FFI where there is one, as `node:dgram` costs twice the CPU under
 * load and knows no Unix sockets.
 */
import type { Lack } from "../../runtime/core/contract.ts";
import { makeFeatures } from "../features.ts";
import type { Runtime } from "../session-adapter.ts";
import { DATAGRAM, STREAM } from "./options.ts";

const IGNORED: Lack = { reason: "this runtime's node:net ignores it", remedy: "listen on [::1]" };

/** What is amiss where this adapter runs on Bun, for comparison. */
const ON_BUN: { readonly descriptors: Lack; readonly http: { readonly reusePort: Lack } } = {
  descriptors: {
    reason: "this runtime's node:net closes what it is given by descriptor",
    remedy: "use the runtime's own adapter",
  },
  http: {
    reusePort: {
      reason: "this runtime's node:http wants the port for itself",
      remedy: "use the runtime's own adapter",
    },
  },
};

/** What the adapter is made of. */
export const RUNTIME: Runtime = {
  name: "node",
  features: makeFeatures({
    endsThreads: true,
    resets: true,
    lends: "unkept",
    // TLS on a descriptor takes next to nothing more than on what was accepted; what is read twice does.
    ...(!("Bun" in globalThis) && { unreads: ["http"] }),
    descriptorCost: { server: 52, threads: 12, processes: 2 },
    stream: STREAM,
    ...(!STREAM.includes("ipv6Only") && { lacks: { ipv6Only: IGNORED } }),
    ...("Bun" in globalThis && ON_BUN),
    datagram: DATAGRAM,
  }),
  stream: () => import("./stream.ts"),
  secureStream: () => import("./stream.ts"),
  datagram: () => import("./datagram.ts"),
  http: () => import("./http.ts"),
  requests: () => import("./requests.ts"),
  connect: () => import("./connect.ts"),
  backlog: 511,
  turns: "round",
};
