/** HTTP of connections that come by descriptor. */
import { Socket } from "node:net";
import type { Adopted } from "../http/connections.ts";

export { NODE_BRIDGE as bridge } from "./exchange.ts";

/** See {@link Adopted}. */
export const socketOf: Adopted = (fd, ready) => {
  const socket = new Socket({ fd, allowHalfOpen: true, readable: true, writable: true });
  socket.setNoDelay(true);
  ready(socket);
};
