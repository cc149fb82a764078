/**
 * The adapter for Bun. Streams on `Bun.listen`, HTTP on `Bun.serve`, datagrams through FFI.
 */
import { makeFeatures } from "../features.ts";
import type { Runtime } from "../session-adapter.ts";
import { DATAGRAM, STREAM } from "./options.ts";

/** What the adapter is made of. */
export const RUNTIME: Runtime = {
  name: "bun",
  features: makeFeatures({
    endsThreads: true,
    resets: true,
    lends: false,
    descriptorCost: { server: 40, threads: 10, processes: 4 },
    stream: STREAM,
    datagram: DATAGRAM,
  }),
  stream: () => import("./stream.ts"),
  datagram: () => import("./datagram.ts"),
  http: () => import("./http.ts"),
  requests: () => import("./requests.ts"),
  connect: () => import("./connect.ts"),
  prepareTls: async () => await (await import("./secured.ts")).prepareTls(),
  secureStream: async () => (await import("./secured.ts")).stream(),
  backlog: 512,
  turns: "round",
};
