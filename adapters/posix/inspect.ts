/** What a descriptor is, when nobody has said: one that was inherited, from systemd or inetd. */
import type { Inspected, Traffic } from "../../runtime/core/descriptors.ts";
import { Address, type Credentials } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { Libc } from "./libc.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  EBADF,
  errnoName,
  SO_ACCEPTCONN,
  SO_PEERCRED,
  SO_TYPE,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  SOL_TCP,
  TCP_INFO,
} from "./linux.ts";
import { NAME_BYTES, readName, readStreamName } from "./sockaddr.ts";

/** Types of sockets that nothing here can serve; socket(2). */
const TYPES: Readonly<Record<number, string>> = {
  3: "SOCK_RAW",
  4: "SOCK_RDM",
  5: "SOCK_SEQPACKET",
  6: "SOCK_DCCP",
  10: "SOCK_PACKET",
};

/** See {@link Descriptors.credentials}. */
export function credentials(libc: Libc, fd: number): Credentials | undefined {
  // struct ucred: three words.
  const words = new Int32Array(new ArrayBuffer(12));
  const code = libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, new Uint8Array(words.buffer));
  const [pid = 0, uid = 0, gid = 0] = words;
  // Nobody was there to connect, as with a pair of sockets of another machine's making.
  return code < 0 || pid === 0 ? undefined : { uid: uid >>> 0, gid: gid >>> 0, pid };
}

/** Of struct tcp_info, as Linux has it since 4.19. */
const INFO = { bytesReceived: 128, notSent: 144, bytesSent: 200, bytesResent: 208, bytes: 216 };
/** States in which the peer's end has come, which is counted as a byte: TIME_WAIT, CLOSE, CLOSE_WAIT … */
const PEER_ENDED: readonly number[] = [6, 7, 8, 9, 11];

/** See {@link Descriptors.traffic}. */
export function traffic(libc: Libc, fd: number): Traffic | undefined {
  const info = new DataView(new ArrayBuffer(INFO.bytes));
  const code = libc.getsockopt(fd, SOL_TCP, TCP_INFO, new Uint8Array(info.buffer));
  if (code < 0) return undefined;
  const wide = (at: number): number => Number(info.getBigUint64(at, true));
  const bytesIn = wide(INFO.bytesReceived) - (PEER_ENDED.includes(info.getUint8(0)) ? 1 : 0);
  const sent = wide(INFO.bytesSent) - wide(INFO.bytesResent);
  return { bytesIn: Math.max(0, bytesIn), bytesOut: sent + info.getUint32(INFO.notSent, true) };
}

/** See {@link Descriptors.inspect}. */
export function inspect(libc: Libc, fd: number): Inspected {
  const word = new Int32Array(new ArrayBuffer(4));
  const value = new Uint8Array(word.buffer);
  const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));
  const refuse = (what: string): never => {
    throw new PorticoError("NOT_SUPPORTED", `descriptor ${fd} is ${what}`);
  };

  const code = libc.getsockopt(fd, SOL_SOCKET, SO_TYPE, value);
  if (code < 0) refuse(code === -EBADF ? "not open" : "no socket");
  const type = word[0]!;
  const size = libc.getsockname(fd, name);
  const family = size < 2 ? -1 : name[0]! | name[1]! << 8;
  if (family !== AF_UNIX && family !== AF_INET && family !== AF_INET6) {
    refuse(`a socket of address family ${family}, neither Unix, IPv4 nor IPv6`);
  }
  if (type === SOCK_DGRAM) {
    const { host, path, port } = readName(name, size);
    const transport = family === AF_UNIX ? "unixgram" : "udp";
    const address = new Address(transport, host, port, path);
    return { kind: "datagram", socket: { transport, fd, address, owned: false } };
  }
  if (type !== SOCK_STREAM) refuse(`a ${TYPES[type] ?? `type ${type}`} socket`);
  const local = readStreamName(name, size);
  libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value);
  if (word[0] !== 0) {
    const transport = family === AF_UNIX ? "unix" : "tcp";
    return { kind: "listener", socket: { transport, fd, address: local, owned: false } };
  }
  const peer = libc.getpeername(fd, name);
  if (peer < 0) {
    refuse(`a stream socket that neither listens nor is connected (${errnoName(-peer)})`);
  }
  return { kind: "connection", origin: { remote: readStreamName(name, peer), local } };
}
