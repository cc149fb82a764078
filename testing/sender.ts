import type { DatagramSocket } from "../runtime/core/contract.ts";

/** A socket to answer from, as workers have one. */
export function senderOf(socket: DatagramSocket): DatagramSocket {
  return {
    data: undefined,
    address: socket.address,
    send: (bytes, to, from) => socket.send(bytes, to, from),
    duplicate: () => socket.duplicate(),
    stopReceiving: () => socket.stopReceiving(),
    close: () => Promise.resolve(),
  };
}
