/**
 * Pausing a socket of Deno's `node:tls`. What it does by itself stops nothing: it goes on reading, keeps whatever comes
 * without a bound, and a peer's end that comes with the rest of it is never told. So reading stops below TLS instead,
 * and the socket itself hears of all that has been read; what it holds is bounded as that of every stream.
 */
import type { TLSSocket } from "node:tls";

/** What reads: a socket of the kernel, or a stream of JavaScript. */
interface Source {
  readStart?(): number;
  readStop?(): number;
}

/** As Deno has it; {@link _parent} is what it goes over. */
interface Handle extends Required<Source> {
  readonly _parent?: Source | null;
}

/** Has a pause of `socket` stop what is below it. On other runtimes it does anyway. */
function pauseBelow(socket: TLSSocket): TLSSocket {
  const { _handle: handle } = socket as unknown as { readonly _handle?: Handle | null };
  const below = handle?._parent;
  if (handle == null || below?.readStart === undefined || below.readStop === undefined) {
    return socket;
  }
  const start = handle.readStart;
  handle.readStart = () => {
    below.readStart!();
    return start.call(handle);
  };
  handle.readStop = () => below.readStop!();
  return socket;
}

/** What every socket of TLS goes through when it has been made. */
export const withPause: (socket: TLSSocket) => TLSSocket = "Deno" in globalThis
  ? pauseBelow
  : (socket) => socket;
