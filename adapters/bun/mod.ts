/**
 * The adapter for Bun. Streams on `Bun.listen`, HTTP on `Bun.serve`, UDP on `Bun.udpSocket`, Unix
 * datagrams through FFI.
 */
import type { Adapter } from "../../runtime/core/contract.ts";
import { makeFeatures } from "../features.ts";
import { runtimeAdapter } from "../runtime-adapter.ts";
import { DATAGRAM, STREAM } from "./options.ts";
import { listen } from "./stream.ts";

/** Makes it. */
export function makeAdapter(): Adapter {
  return runtimeAdapter({
    name: "bun",
    features: makeFeatures({
      endsThreads: true,
      resets: true,
      lends: false,
      descriptorCost: { server: 40, threads: 10, processes: 4 },
      stream: STREAM,
      datagram: DATAGRAM,
    }),
    listen,
    datagram: () => import("./datagram.ts"),
    http: () => import("./http.ts"),
    connect: () => import("./connect.ts"),
    backlog: 512,
    turns: "round",
  });
}
