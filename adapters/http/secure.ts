/** The handshake of a connection that will be one of HTTP. */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { TlsContext, TlsInfo } from "../../runtime/core/tls.ts";
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
  const { wrap, done: event, other, strict } = context as SocketContext;
  let socket: TLSSocket;
  try {
    socket = wrap.call(context, raw);
  } catch (error) {
    return failed(handshakeFailure(error, other));
  }
  const fail = (error: unknown): void => failed(handshakeFailure(error, other));
  const closed = (): void => fail(undefined);
  socket.once("error", fail);
  socket.once("close", closed);
  socket.once(event, () => {
    const wrong = unauthorized(socket);
    if (strict && wrong !== undefined) {
      fail(wrong);
      return void socket.destroy();
    }
    socket.off("error", fail);
    socket.off("close", closed);
    let info: TlsInfo | undefined;
    done(socket, () => {
      if (info === undefined && !socket.destroyed) info = infoOf(socket, wrong === undefined);
      return info;
    });
  });
  // What it says while it dies has been said.
  socket.on("error", () => {});
}

/** What is wrong with the certificate of the other side; undefined for nothing. */
function unauthorized(socket: TLSSocket): unknown {
  const { _handle } = socket as unknown as { _handle?: { verifyError?(): unknown } | null };
  return _handle?.verifyError?.() ?? undefined;
}
