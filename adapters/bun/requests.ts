/** HTTP over TLS, and of connections that come by descriptor: `Bun.serve` takes neither. */
import { connect, type NetConnectOpts } from "node:net";
import { bridgeOf } from "../http/bridge.ts";
import type { Adopted } from "../http/connections.ts";
import { isInMemory, streams } from "./http.ts";

export const bridge = bridgeOf({
  streams,
  whole: (response) => isInMemory(response) ? response.bytes() : undefined,
});

/** See {@link Adopted}. A `Socket` that is made of a descriptor is closed to Bun. */
export const socketOf: Adopted = (fd, ready) => {
  const options = { fd, allowHalfOpen: true, noDelay: true } as unknown as NetConnectOpts;
  const socket = connect(options);
  socket.on("error", () => {});
  // It is open already.
  if (!socket.connecting) return ready(socket);
  socket.once("connect", () => ready(socket));
};
