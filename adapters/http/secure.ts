/** The handshake of a connection that will be one of HTTP. */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { TlsContext, TlsInfo } from "../../runtime/core/tls.ts";
import { doubtOf } from "../tls/connection.ts";
import type { SocketContext } from "../tls/context.ts";
import { handshakeFailure } from "../tls/failure.ts";
import { infoOf } from "../tls/info.ts";

/**
 * Begins it.
 *
 * @param done with what is there from now on, and what it has come to, made when it is asked for first: before the close.
 * @param failed the socket is to be closed then; may be called more than once.
 */
export function secure(
  raw: Socket,
  context: TlsContext,
  done: (socket: TLSSocket, info: () => TlsInfo | undefined) => void,
  failed: (error: PorticoError) => void,
): void {
  const { done: event, other, strict } = context as SocketContext;
  const fail = (error: unknown): void => failed(handshakeFailure(error, other));
  let socket: TLSSocket;
  try {
    socket = (context as SocketContext).wrap(raw);
  } catch (error) {
    return fail(error);
  }
  const closed = (): void => fail(undefined);
  // What it says while it dies has been said.
  socket.on("error", () => {});
  socket.once("_tlsError", fail);
  socket.once("end", closed);
  socket.once("close", closed);
  // An end that was read before TLS has begun is told below alone.
  if (raw.readableEnded) queueMicrotask(closed);
  else if (raw.readableLength > 0) raw.once("end", closed);
  socket.once(event, () => {
    const doubt = doubtOf(socket, context as SocketContext);
    if (strict && doubt !== undefined) {
      fail(doubt);
      return void socket.destroy();
    }
    socket.off("_tlsError", fail).off("end", closed).off("close", closed);
    let info: TlsInfo | undefined;
    done(socket, () => {
      if (info === undefined && !socket.destroyed) info = infoOf(socket, doubt === undefined);
      return info;
    });
  });
}
