/**
 * A connection of Bun's own as a socket of `node:net`, for TLS: what `node:tls` of Bun goes over by way of a stream
 * takes four times the CPU for a bulk, has no SNI, and loses what follows a half-close.
 */
import type { NetConnectOpts, Socket } from "node:net";

let open: ((fd: number) => Socket | undefined) | undefined = undefined;

/** Makes {@link reopen} possible, where there is FFI. */
export async function prepareReopening(): Promise<void> {
  const { ffiSupport, openLibc } = await import("../posix/libc.ts");
  if (ffiSupport() !== true) return;
  const [libc, { connect }] = await Promise.all([openLibc(), import("node:net")]);
  open = (fd) => {
    const own = libc.dup(fd);
    if (own < 0) return undefined;
    // To whoever waits for `connect`, Bun gives a socket that TLS can not be had over any more.
    return connect({ fd: own, allowHalfOpen: true } as unknown as NetConnectOpts);
  };
}

/** @returns the same socket under another descriptor; the former is the caller's to close. Undefined where that cannot be. */
export function reopen(fd: number): Socket | undefined {
  return open?.(fd);
}
