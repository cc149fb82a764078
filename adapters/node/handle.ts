/** What Node keeps in the handles of `node:net`; there is no public way to ask. */
import type { Server, Socket } from "node:net";

/** The descriptor of a server or a socket; -1 where there is none, as on Deno. */
export function descriptorOf(owner: Server | Socket): number {
  return (owner as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

/** Bytes that a socket has given to libuv, and those of them that libuv still has; undefined where nobody says. */
export function queuedOf(
  socket: Socket,
): { readonly dispatched: number; readonly size: number } | undefined {
  const { _handle, _bytesDispatched: dispatched } = socket as unknown as {
    _handle?: { writeQueueSize?: unknown } | null;
    _bytesDispatched?: unknown;
  };
  const size = _handle?.writeQueueSize;
  if (typeof size !== "number" || typeof dispatched !== "number") return undefined;
  return { dispatched, size };
}

/** Whether a socket is being read: a body that nobody takes stops that. */
export function isRead(socket: Socket): boolean {
  return (socket as unknown as { _handle?: { reading?: unknown } | null })._handle?.reading ===
    true;
}
