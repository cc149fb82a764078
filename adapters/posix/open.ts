/** Making a bound datagram socket of our own, with every option set. */
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import { Address, type InternetEndpoint, type UnixEndpoint } from "../../runtime/core/endpoint.ts";
import { limitOf } from "./datagram.ts";
import { bindFailure } from "../errno.ts";
import type { Libc } from "./libc.ts";
import { AF_UNIX, SO_SNDBUF, SOL_SOCKET } from "./linux.ts";
import { familyOf } from "./options.ts";
import { claim, inherit, own, type SocketFile } from "./socket-file.ts";
import { encode } from "./peer.ts";
import { apply, bindInternet, bindTo, newSocket, takeOver } from "./socket.ts";

/** A bound socket. Its descriptor and its file are the caller's to release. */
export interface Opened {
  readonly fd: number;
  readonly family: number;
  readonly address: Address;
  /** The largest datagram it sends, in bytes. */
  readonly limit: number;
  readonly file: SocketFile | undefined;
}

/** @throws PorticoError of side `config`. */
export function openDatagram(
  libc: Libc,
  endpoint: BindableEndpoint,
  options: SocketOptions,
): Promise<Opened> {
  if ("fd" in endpoint) return openInherited(libc, endpoint, options);
  return "path" in endpoint
    ? openUnix(libc, endpoint, options)
    : openInternet(libc, endpoint, options);
}

async function openInherited(
  libc: Libc,
  endpoint: Inherited,
  options: SocketOptions,
): Promise<Opened> {
  const fd = await takeOver(libc, endpoint, options);
  return { ...partsOf(libc, fd), address: endpoint.address, file: inherit(endpoint) };
}

async function openUnix(
  libc: Libc,
  endpoint: UnixEndpoint,
  options: SocketOptions,
): Promise<Opened> {
  await claim(endpoint);
  const address = new Address("unixgram", "", 0, endpoint.path);
  const fd = newSocket(libc, endpoint, AF_UNIX, "datagram");
  try {
    apply(libc, fd, AF_UNIX, "unixgram", options, true);
    // bind(2) gives the file the permissions of the descriptor, less the umask: so it is never open
    // to more than `mode` says, not even for a moment.
    if (options.mode !== undefined) libc.fchmod(fd, options.mode);
    bindTo(libc, fd, endpoint, encode(address, AF_UNIX)!);
    const file = own(endpoint.path, options.mode);
    try {
      apply(libc, fd, AF_UNIX, "unixgram", options, false);
    } catch (error) {
      file.release();
      throw error;
    }
    return { ...partsOf(libc, fd), address, file };
  } catch (error) {
    libc.close(fd);
    throw bindFailure(endpoint, error);
  }
}

async function openInternet(
  libc: Libc,
  endpoint: InternetEndpoint,
  options: SocketOptions,
): Promise<Opened> {
  const { address, fd } = await bindInternet(libc, endpoint, options, "datagram");
  return { ...partsOf(libc, fd), address, file: undefined };
}

/** What a datagram socket is made of that its descriptor tells. */
export function partsOf(libc: Libc, fd: number): Pick<Opened, "fd" | "family" | "limit"> {
  const family = familyOf(libc, fd);
  const value = new Uint8Array(new ArrayBuffer(4));
  libc.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, value);
  return { fd, family, limit: limitOf(family, new Int32Array(value.buffer)[0]!) };
}
