/** Making a bound datagram socket of our own, with every option set: socket(2), setsockopt(2), bind(2). */
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import { Address, type InternetEndpoint, type UnixEndpoint } from "../../runtime/core/endpoint.ts";
import { limitOf } from "./datagram.ts";
import { bindFailure } from "./failure.ts";
import type { Libc } from "./libc.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  errnoName,
  SO_SNDBUF,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from "./linux.ts";
import { concerns, isEarly, OPTION_NAMES, setOption } from "./options.ts";
import { claim, own, type SocketFile } from "./path.ts";
import { encode, NAME_BYTES, type Peer, readName } from "./peer.ts";
import { resolveHost } from "./resolve.ts";

/** A bound socket. Its descriptor and its file are the caller's to release. */
export interface Opened {
  readonly fd: number;
  readonly family: number;
  readonly address: Address;
  /** The largest datagram it sends, in bytes. */
  readonly limit: number;
  readonly file: SocketFile | undefined;
}

const WHOLE = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

/** @throws PorticoError of side `config`. */
export function openDatagram(
  libc: Libc,
  endpoint: BindableEndpoint,
  options: SocketOptions,
): Promise<Opened> {
  return "path" in endpoint
    ? openUnix(libc, endpoint, options)
    : openInternet(libc, endpoint, options);
}

async function openUnix(
  libc: Libc,
  endpoint: UnixEndpoint,
  options: SocketOptions,
): Promise<Opened> {
  await claim(endpoint);
  const address = new Address("unixgram", "", 0, endpoint.path);
  const fd = open(libc, endpoint, AF_UNIX);
  try {
    apply(libc, fd, AF_UNIX, options, true);
    // bind(2) gives the file the permissions of the descriptor, less the umask: so it is never open
    // to more than `mode` says, not even for a moment.
    if (options.mode !== undefined) libc.permit(fd, options.mode);
    bindTo(libc, fd, endpoint, encode(address, AF_UNIX)!);
    const file = own(endpoint.path, options.mode);
    try {
      apply(libc, fd, AF_UNIX, options, false);
    } catch (error) {
      file.release();
      throw error;
    }
    return { fd, family: AF_UNIX, address, limit: limit(libc, fd, AF_UNIX), file };
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
  let { host, family, any } = await resolveHost(endpoint);
  for (;;) {
    const domain = family === 6 ? AF_INET6 : AF_INET;
    let fd = -1;
    try {
      fd = open(libc, endpoint, domain);
      // Both families, whatever net.ipv6.bindv6only says.
      const all = domain === AF_INET6 ? { ipv6Only: false, ...options } : options;
      apply(libc, fd, domain, all, true);
      bindTo(libc, fd, endpoint, encode(new Address("udp", host, endpoint.port, ""), domain)!);
      apply(libc, fd, domain, options, false);
      return {
        fd,
        family: domain,
        address: nameOf(libc, fd),
        limit: limit(libc, fd, domain),
        file: undefined,
      };
    } catch (error) {
      if (fd >= 0) libc.close(fd);
      // `*` on a machine without IPv6: EAFNOSUPPORT at socket(2), or EADDRNOTAVAIL at bind(2).
      if (!any || family === 4 || !/EAFNOSUPPORT|EADDRNOTAVAIL/.test(String(error))) {
        throw bindFailure(endpoint, error);
      }
      host = "0.0.0.0";
      family = 4;
    }
  }
}

function open(libc: Libc, endpoint: BindableEndpoint, family: number): number {
  const fd = libc.socket(family, WHOLE, 0);
  if (fd < 0) throw bindFailure(endpoint, -fd);
  return fd;
}

function bindTo(libc: Libc, fd: number, endpoint: BindableEndpoint, to: Peer): void {
  const bytes = new Uint8Array(to.words.buffer as ArrayBuffer);
  const code = libc.bind(fd, bytes, to.size);
  if (code < 0) throw bindFailure(endpoint, -code);
}

/** Sets the options that belong before bind(2), or those after it. */
function apply(
  libc: Libc,
  fd: number,
  family: number,
  options: SocketOptions,
  before: boolean,
): void {
  const transport = family === AF_UNIX ? "unixgram" : "udp";
  for (const name of OPTION_NAMES) {
    const wanted = options[name];
    if (wanted === undefined || !concerns(name, transport)) continue;
    if (name === "ipv6Only" && family !== AF_INET6) continue;
    if ((isEarly(name) || name === "device") === before) setOption(libc, fd, family, name, wanted);
  }
}

function limit(libc: Libc, fd: number, family: number): number {
  const value = new Uint8Array(new ArrayBuffer(4));
  libc.getOption(fd, SOL_SOCKET, SO_SNDBUF, value);
  return limitOf(family, new Int32Array(value.buffer)[0]!);
}

/** What is really bound. */
export function nameOf(libc: Libc, fd: number): Address {
  const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));
  const size = libc.name(fd, name);
  if (size < 0) throw new Error(`getsockname: ${errnoName(-size)}`);
  return readName(name, size);
}
