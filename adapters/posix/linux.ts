/**
 * Numbers of the Linux ABI. They are those of `asm-generic`, which x86-64 and arm64 share; other
 * architectures (mips, sparc, parisc) number some of them differently, so they are not offered.
 */
import { constants } from "node:os";
import process from "node:process";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
/** A child process would otherwise keep the socket, and its address, open. */
export const SOCK_CLOEXEC = 0o2000000;
/** What every socket of ours has from the start. */
export const SOCK_NONBLOCK_CLOEXEC: number = SOCK_NONBLOCK | SOCK_CLOEXEC;

/** fcntl(2): another number, close-on-exec. It is variadic, but these two pass such a call as any other. */
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const O_NONBLOCK = 0o4000;

export const POLLIN = 1;

/** The path of what is always empty. */
export const DEV_NULL: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(10));
DEV_NULL.set(new TextEncoder().encode("/dev/null"));
/** memfd_create(2): close-on-exec, and open to seals; a name for those who look, and its end. */
export const MFD_FLAGS: number = 0x1 | 0x2;
export const MFD_NAME: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(8));
MFD_NAME.set(new TextEncoder().encode("portico\0"));
/** Neither its size nor its bytes nor its seals can be changed any more. */
export const F_ADD_SEALS = 1033;
export const F_SEAL_ALL = 0xf;

export const SOL_SOCKET = 1;
export const SOL_IP = 0;
export const SOL_TCP = 6;
export const SOL_UDP = 17;
export const SOL_IPV6 = 41;

export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_BINDTODEVICE = 25;
export const SO_PEERCRED = 17;
export const SO_ACCEPTCONN = 30;
export const SO_MEMINFO = 55;
export const SO_COOKIE = 57;

export const IP_TOS = 1;
export const IP_TTL = 2;
export const IP_PKTINFO = 8;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IP_ADD_MEMBERSHIP = 35;

export const IPV6_UNICAST_HOPS = 16;
export const IPV6_MULTICAST_HOPS = 18;
export const IPV6_MULTICAST_LOOP = 19;
export const IPV6_ADD_MEMBERSHIP = 20;
export const IPV6_V6ONLY = 26;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IPV6_FREEBIND = 78;
export const IPV6_TCLASS = 67;

export const UDP_SEGMENT = 103;

export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_DEFER_ACCEPT = 9;
export const TCP_INFO = 11;
export const TCP_USER_TIMEOUT = 18;
export const TCP_FASTOPEN = 23;
export const TCP_INQ = 36;

export const SCM_RIGHTS = 1;

export const MSG_CTRUNC = 0x8;
export const MSG_TRUNC = 0x20;
export const MSG_PEEK = 0x2;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CMSG_CLOEXEC = 0x4000_0000;

export const EFD_CLOEXEC = 0o2000000;

export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 1;
export const EPOLLERR = 8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET: number = 1 << 31;
export const EPOLLONESHOT = 0x4000_0000;
/** struct epoll_event is packed to 12 bytes on x86-64; elsewhere its data is aligned to 8. */
export const EPOLL_EVENT_WORDS: number = process.arch === "x64" ? 3 : 4;
/** Where the data begins in it, in words. */
export const EPOLL_EVENT_DATA: number = EPOLL_EVENT_WORDS - 2;

export const WNOHANG = 1;
export const CLOCK_MONOTONIC = 1;

export const ITIMER_VIRTUAL = 1;

/** Of setrlimit(2). */
export const RLIMITS = { cpu: 0, core: 4, processes: 6, files: 7 } as const;

/** The number of ioprio_set(2), which libc has no function for. */
export const SYS_IOPRIO_SET: bigint = process.arch === "x64" ? 251n : 30n;
export const IOPRIO_WHO_PROCESS = 1n;

export const ESRCH = 3;

export const EINTR = 4;
export const EBADF = 9;
export const EAGAIN = 11;
export const EMFILE = 24;

let names: Map<number, string> | undefined;

/** `EADDRINUSE` for 98; `errno 250` for a number without a name. */
export function errnoName(errno: number): string {
  if (names === undefined) {
    names = new Map();
    for (const [name, number] of Object.entries(constants.errno)) {
      if (!names.has(number)) names.set(number, name);
    }
    names.set(EAGAIN, "EAGAIN");
  }
  return names.get(errno) ?? `errno ${errno}`;
}
