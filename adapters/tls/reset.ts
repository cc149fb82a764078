/**
 * Whether an end is a reset. Libraries of TLS write by themselves, first of all session tickets. A write to a peer that
 * has reset the connection is told so in the place of the read, nobody hears of it, and the read that follows finds an
 * end; Deno's takes whatever stops a read for one. The kernel still knows: the connection is closed though nobody
 * here has ended it, and it is not the EPIPE of a peer that has ended in order before.
 */
import type { TLSSocket } from "node:tls";
import { ffiSupport, type Libc, openLibc } from "../posix/libc.ts";
import { SO_ERROR, SOL_SOCKET } from "../posix/linux.ts";

/** What a socket of `node:tls` goes over: that of Node has a descriptor, that of Deno gives out duplicates. */
interface Below {
  getpeername?(into: object): number;
  readonly fd?: number;
  fdForIpc?(): number;
}

/** Of a socket that has been told an end and has not ended itself; undefined when it is one, as nearly always. */
export function asksForReset(socket: TLSSocket): Promise<boolean> | undefined {
  const below = belowOf(socket);
  // One that is closed has no peer any more.
  if (below?.getpeername === undefined || below.getpeername({}) === 0) return undefined;
  if (ffiSupport() !== true) return undefined;
  return openLibc().then((libc) => isReset(libc, socket), () => false);
}

function belowOf(socket: TLSSocket): Below | undefined {
  const { _handle: handle } = socket as unknown as {
    readonly _handle?: { readonly _parent?: Below | null } | null;
  };
  return handle?._parent ?? undefined;
}

function isReset(libc: Libc, socket: TLSSocket): boolean {
  const below = belowOf(socket);
  const duplicate = below?.fdForIpc?.();
  const fd = duplicate ?? below?.fd ?? -1;
  if (fd < 0) return false;
  const pending = new Int32Array(new ArrayBuffer(4));
  const code = libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, new Uint8Array(pending.buffer));
  if (duplicate !== undefined) libc.close(duplicate);
  return code > 0 && pending[0] === 0;
}
