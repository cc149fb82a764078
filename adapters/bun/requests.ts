/** HTTP over TLS, and of connections that come by descriptor: `Bun.serve` takes neither. */
import { connect, type NetConnectOpts } from "node:net";
import type { Connection } from "../http/answering.ts";
import { bridgeOf } from "../http/bridge.ts";
import type { Adopted } from "../http/connections.ts";
import type { Bridge } from "../http/server.ts";
import { isInMemory, streams } from "./http.ts";

/** Of a body that nobody takes Bun's parser keeps all that comes: reading goes on when somebody reads. */
function holdBack(this: Connection): void {
  const incoming = this.last?.req;
  if (incoming === undefined || incoming.complete) return;
  if (incoming.readableLength >= incoming.readableHighWaterMark) this.pause();
}

export const bridge: Bridge = {
  ...bridgeOf({
    streams,
    whole: (response) => isInMemory(response) ? response.bytes() : undefined,
  }),
  hasRead: holdBack,
};

/** See {@link Adopted}. A `Socket` that is made of a descriptor is closed to Bun. */
export const socketOf: Adopted = (fd, ready) => {
  const options = { fd, allowHalfOpen: true, noDelay: true } as unknown as NetConnectOpts;
  const socket = connect(options);
  socket.on("error", () => {});
  // It is open already.
  if (!socket.connecting) return ready(socket);
  socket.once("connect", () => ready(socket));
};
