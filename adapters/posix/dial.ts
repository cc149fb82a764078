/** Datagram sockets with one peer in mind: connect(2) for UDP, a name to be answered at for Unix. */
import type { DatagramTable, DialedSocket, NamedEndpoint } from "../../runtime/core/contract.ts";
import { Address, type InternetEndpoint, type UnixEndpoint } from "../../runtime/core/endpoint.ts";
import { connectFailure } from "../errno.ts";
import { watchedSocket } from "./ffi-datagram.ts";
import { type Libc, openLibc } from "./libc.ts";
import { AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK_CLOEXEC } from "./linux.ts";
import { MemfdSender } from "./memfd.ts";
import { resolveHost } from "./resolve.ts";
import { encode, type EncodedAddress } from "./sockaddr.ts";
import { boundName, sockaddrOf } from "./socket.ts";

/** See {@link Adapter.dial}; the same on every runtime with FFI. @throws PorticoError NOT_SUPPORTED without. */
export async function dial(
  endpoint: NamedEndpoint,
  table: DatagramTable,
): Promise<DialedSocket> {
  const libc = await openLibc();
  return "path" in endpoint
    ? dialUnix(libc, endpoint, table)
    : await dialUdp(libc, endpoint, table);
}

async function dialUdp(
  libc: Libc,
  endpoint: InternetEndpoint,
  table: DatagramTable,
): Promise<DialedSocket> {
  const { host, family } = await resolveHost(endpoint, connectFailure);
  const target = new Address("udp", host, endpoint.port, "");
  const domain = family === 6 ? AF_INET6 : AF_INET;
  return open(libc, endpoint, domain, table, target, (fd, peer) => {
    return libc.connect(fd, sockaddrOf(peer), peer.size);
  });
}

function dialUnix(libc: Libc, endpoint: UnixEndpoint, table: DatagramTable): DialedSocket {
  const target = new Address("unixgram", "", 0, endpoint.path);
  const none = new Uint8Array(new ArrayBuffer(16));
  return open(libc, endpoint, AF_UNIX, table, target, (fd, peer) => {
    // It is connected only to see that somebody is there, and then, with AF_UNSPEC, to nobody again:
    // a successor at that path is to be reached too.
    const code = libc.connect(fd, sockaddrOf(peer), peer.size);
    if (code < 0) return code;
    libc.connect(fd, none, none.length);
    // A family and no name: the kernel finds one in the abstract namespace.
    const family = new Uint8Array(new ArrayBuffer(2));
    family[0] = AF_UNIX;
    return libc.bind(fd, family, family.length);
  });
}

/** @param join says where it goes; 0, or an errno, negated. */
function open(
  libc: Libc,
  endpoint: NamedEndpoint,
  family: number,
  table: DatagramTable,
  target: Address,
  join: (fd: number, peer: EncodedAddress) => number,
): DialedSocket {
  const peer = encode(target, family);
  // The only address without a kernel's form here is a path that is too long.
  if (peer === undefined) throw connectFailure(endpoint, "ENAMETOOLONG");
  const fd = libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw connectFailure(endpoint, -fd);
  try {
    const code = join(fd, peer);
    if (code < 0) throw connectFailure(endpoint, -code);
    const address = boundName(libc, fd, "datagram");
    const socket = watchedSocket(libc, { fd, address, file: undefined }, table);
    const offer = (bytes: Uint8Array): boolean => socket.offerTo(bytes, peer);
    if (family !== AF_UNIX) return Object.assign(socket, { target, offer });
    const memfds = new MemfdSender(libc, peer);
    const offerSealed = (bytes: Uint8Array): boolean =>
      !socket.receiving || memfds.offer(socket.fd, bytes);
    return Object.assign(socket, { target, offer, offerSealed });
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
