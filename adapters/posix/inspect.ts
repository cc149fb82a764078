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
  MSG_DONTWAIT,
  MSG_PEEK,
  SO_ACCEPTCONN,
  SO_PEERCRED,
  SO_TYPE,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  SOL_TCP,
  TCP_INFO,
  TCP_INQ,
} from "./linux.ts";
import {
  CONTROL_DATA,
  CONTROL_SIZE,
  CONTROL_SPACE,
  IOVEC_SIZE,
  LENGTH,
  MessageHeaders,
  writeAddress,
} from "./message-headers.ts";
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
/** States in which the peer's end has come, which is counted as a byte: TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING. */
const PEER_ENDED: readonly number[] = [6, 8, 9, 11];
/** After a reset, too, whether an end has come before or not. */
const CLOSE = 7;

/** See {@link Descriptors.traffic}. */
export function traffic(libc: Libc, fd: number): Traffic | undefined {
  const info = new DataView(new ArrayBuffer(INFO.bytes));
  const code = libc.getsockopt(fd, SOL_TCP, TCP_INFO, new Uint8Array(info.buffer));
  if (code < 0) return undefined;
  const wide = (at: number): number => Number(info.getBigUint64(at, true));
  const state = info.getUint8(0);
  const ended = state === CLOSE ? hasEnded(libc, fd) : PEER_ENDED.includes(state);
  const bytesIn = wide(INFO.bytesReceived) - (ended ? 1 : 0);
  const sent = wide(INFO.bytesSent) - wide(INFO.bytesResent);
  return { bytesIn: Math.max(0, bytesIn), bytesOut: sent + info.getUint32(INFO.notSent, true) };
}

const word = new Int32Array(new ArrayBuffer(4));

/**
 * Whether the peer's end has come to a socket whose state does not say so. TCP_INQ does, which counts what is unread, and
 * an end as one byte. Where there are bytes that nobody has read it is taken for granted.
 */
function hasEnded(libc: Libc, fd: number): boolean {
  word[0] = 1;
  const bytes = new Uint8Array(word.buffer);
  if (libc.setsockopt(fd, SOL_TCP, TCP_INQ, bytes) < 0) return true;
  const { headers, iovecs, controls, pointers } = new MessageHeaders(libc, 1, CONTROL_SPACE);
  writeAddress(iovecs, 0, libc.address(bytes));
  iovecs[IOVEC_SIZE] = 1;
  headers[CONTROL_SIZE] = CONTROL_SPACE;
  const count = libc.recvmmsg(fd, pointers[0]!, 1, MSG_PEEK | MSG_DONTWAIT);
  // A reset that nobody has heard of yet is told only where no end has come before.
  if (count < 1) return false;
  return headers[LENGTH]! > 0 || controls[CONTROL_DATA]! > 0;
}

/** See {@link Descriptors.inspect}. */
export function inspect(libc: Libc, fd: number): Inspected {
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
