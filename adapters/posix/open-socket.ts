/** Making a bound socket of our own, with every option set; one of a stream listens. */
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import { Address, type InternetEndpoint, type UnixEndpoint } from "../../runtime/core/endpoint.ts";
import { bindFailure } from "../errno.ts";
import { protection } from "../keep-alive.ts";
import type { Libc } from "./libc.ts";
import { AF_UNIX } from "./linux.ts";
import { concerns } from "./options.ts";
import { encode } from "./sockaddr.ts";
import { claimPath, inheritedFile, type SocketFile, withFileMode } from "./socket-file.ts";
import {
  applyOptions,
  bindInternet,
  bindTo,
  newSocket,
  type SocketKind,
  takeOver,
} from "./socket.ts";

/** What Node asks for as well; the kernel caps it at net.core.somaxconn. */
const BACKLOG = 511;

/** A bound socket. Its descriptor and its file are the caller's to release. */
export interface BoundSocket {
  readonly fd: number;
  readonly address: Address;
  readonly file: SocketFile | undefined;
}

/** @throws PorticoError of side `config`. */
export async function openSocket(
  libc: Libc,
  endpoint: BindableEndpoint,
  options: SocketOptions,
  kind: SocketKind,
): Promise<BoundSocket> {
  // What a listener is set to, its connections inherit.
  const all = concerns("noDelay", endpoint.transport)
    ? { ...protection(options), ...options, noDelay: options.noDelay ?? true }
    : options;
  if ("fd" in endpoint) {
    const fd = await takeOver(libc, endpoint, all);
    return { fd, address: endpoint.address, file: inheritedFile(endpoint) };
  }
  return "path" in endpoint
    ? await openUnix(libc, endpoint, all, kind)
    : await openInternet(libc, endpoint, all, kind);
}

async function openInternet(
  libc: Libc,
  endpoint: InternetEndpoint,
  options: SocketOptions,
  kind: SocketKind,
): Promise<BoundSocket> {
  const { fd, address } = await bindInternet(libc, endpoint, options, kind);
  try {
    if (kind === "stream") listen(libc, fd, endpoint, options);
    return { fd, address, file: undefined };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

async function openUnix(
  libc: Libc,
  endpoint: UnixEndpoint,
  options: SocketOptions,
  kind: SocketKind,
): Promise<BoundSocket> {
  const { transport, path } = endpoint;
  const file = await claimPath(endpoint, kind);
  let fd = -1;
  try {
    fd = newSocket(libc, endpoint, AF_UNIX, kind);
    const name = new Address(transport, "", 0, file.path);
    withFileMode(options.mode, () => bindTo(libc, fd, endpoint, encode(name, AF_UNIX)!));
    if (kind === "datagram") file.publish(options.mode);
    applyOptions(libc, fd, AF_UNIX, transport as "unix" | "unixgram", options, false);
    if (kind === "stream") {
      listen(libc, fd, endpoint, options);
      file.publish(options.mode);
    }
    return { fd, address: new Address(transport, "", 0, path), file };
  } catch (error) {
    file.release();
    if (fd >= 0) libc.close(fd);
    throw bindFailure(endpoint, error);
  }
}

function listen(
  libc: Libc,
  fd: number,
  endpoint: BindableEndpoint,
  options: SocketOptions,
): void {
  const code = libc.listen(fd, options.backlog ?? BACKLOG);
  if (code < 0) throw bindFailure(endpoint, -code);
}
