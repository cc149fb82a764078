/** Making sockets of our own: socket(2), setsockopt(2), bind(2); and taking over those of others. */
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import { Address, type InternetEndpoint, isWildcard } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { bindFailure, callFailure } from "../errno.ts";
import { socketTransport } from "../addresses.ts";
import { inspect } from "./inspect.ts";
import type { Libc } from "./libc.ts";
import {
  AF_INET,
  AF_INET6,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_NONBLOCK,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SOCK_NONBLOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
} from "./linux.ts";
import { applyByDescriptor, concerns, isEarly, OPTION_NAMES, setOption } from "./options.ts";
import { askPacketInfo } from "./packet-info.ts";
import { openResolved } from "./resolve.ts";
import { encode, type EncodedAddress, NAME_BYTES, readName, readStreamName } from "./sockaddr.ts";

/** What is opened as tcp and unix, or as udp and unixgram. */
export type SocketKind = "stream" | "datagram";

const ON = new Uint8Array(new ArrayBuffer(4));
ON[0] = 1;

/** A new socket. @throws PorticoError of side `config`. */
export function newSocket(
  libc: Libc,
  endpoint: BindableEndpoint,
  family: number,
  kind: SocketKind,
): number {
  const fd = libc.socket(
    family,
    (kind === "stream" ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK_CLOEXEC,
    0,
  );
  if (fd < 0) throw bindFailure(endpoint, -fd);
  return fd;
}

/** @throws PorticoError of side `config`. */
export function bindTo(
  libc: Libc,
  fd: number,
  endpoint: BindableEndpoint,
  to: EncodedAddress,
): void {
  const code = libc.bind(fd, sockaddrOf(to), to.size);
  if (code < 0) throw bindFailure(endpoint, -code);
}

/** The sockaddr of an address. */
export function sockaddrOf(peer: EncodedAddress): Uint8Array {
  return new Uint8Array(peer.words.buffer as ArrayBuffer);
}

/** Sets the options that belong before bind(2), or those after it; the backlog is listen(2)'s. */
export function applyOptions(
  libc: Libc,
  fd: number,
  family: number,
  transport: "tcp" | "unix" | "udp" | "unixgram",
  options: SocketOptions,
  before: boolean,
): void {
  for (const name of OPTION_NAMES) {
    const wanted = options[name];
    if (wanted === undefined || name === "backlog" || !concerns(name, transport)) continue;
    if (name === "ipv6Only" && family !== AF_INET6) continue;
    if ((isEarly(name) || name === "device") === before) setOption(libc, fd, family, name, wanted);
  }
}

/**
 * Binds to a host and port. Every option that a bound socket can have is set.
 *
 * @throws PorticoError of side `config`.
 */
export async function bindInternet(
  libc: Libc,
  endpoint: InternetEndpoint,
  options: SocketOptions,
  kind: SocketKind,
): Promise<{ readonly fd: number; readonly address: Address }> {
  const transport = kind === "stream" ? "tcp" : "udp";
  return await openResolved(endpoint, ({ host, family }) => {
    const domain = family === 6 ? AF_INET6 : AF_INET;
    let fd = -1;
    try {
      fd = newSocket(libc, endpoint, domain, kind);
      // The port of a listener is free again while connections to it are still in TIME_WAIT.
      if (kind === "stream") libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ON);
      // Both families, whatever net.ipv6.bindv6only says.
      const all = domain === AF_INET6 ? { ipv6Only: false, ...options } : options;
      applyOptions(libc, fd, domain, transport, all, true);
      if (kind === "datagram" && isWildcard(host)) askPacketInfo(libc, fd, domain);
      bindTo(libc, fd, endpoint, encode(new Address("udp", host, endpoint.port, ""), domain)!);
      applyOptions(libc, fd, domain, transport, options, false);
      return { fd, address: boundName(libc, fd, kind) };
    } catch (error) {
      if (fd >= 0) libc.close(fd);
      throw bindFailure(endpoint, error);
    }
  });
}

/** What is really bound. */
export function boundName(libc: Libc, fd: number, kind: SocketKind): Address {
  const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));
  const size = libc.getsockname(fd, name);
  if (size < 0) throw callFailure(`descriptor ${fd} has no name`, -size);
  return kind === "stream" ? readStreamName(name, size) : readName(name, size);
}

/** Makes a descriptor what ours are from the start: non-blocking and close-on-exec. */
export function makeNonBlocking(libc: Libc, fd: number): void {
  const flags = libc.fcntl(fd, F_GETFL, 0);
  if ((flags & O_NONBLOCK) === 0) libc.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/**
 * Takes a socket over, and sets those options that a bound socket can still be given.
 *
 * @returns its descriptor, which may have become another one.
 * @throws PorticoError of side `config` when it is not what it was said to be; it is closed then.
 */
export async function takeOver(
  libc: Libc,
  endpoint: Inherited,
  options: SocketOptions,
): Promise<number> {
  const { fd, transport } = endpoint;
  let found;
  try {
    found = inspect(libc, fd);
  } catch (error) {
    // Only what is a socket is closed: another number may be anything.
    throw bindFailure(endpoint, error);
  }
  const own = libc.tieToThread(fd);
  try {
    if (found.kind === "connection" || found.socket.transport !== socketTransport(transport)) {
      const is = found.kind === "connection" ? "a connection" : `one of ${found.socket.transport}`;
      throw new PorticoError(
        "NOT_SUPPORTED",
        `descriptor ${fd} is ${is}, not a ${transport} socket`,
      );
    }
    makeNonBlocking(libc, own);
    await applyByDescriptor(own, transport, options);
    return own;
  } catch (error) {
    libc.close(own);
    throw bindFailure(endpoint, error);
  }
}
