/**
 * {@link Libc} over any FFI: the calls are declared once, in words that each FFI translates into its
 * own (`ffi-*.ts`), and made once.
 */
import type { Libc, Pointer, ReadWatch } from "./libc.ts";
import {
  AF_UNIX,
  DEV_NULL,
  EPOLL_CLOEXEC,
  EPOLL_EVENT_WORDS,
  F_DUPFD_CLOEXEC,
  IOPRIO_WHO_PROCESS,
  ITIMER_VIRTUAL,
  MFD_FLAGS,
  MFD_NAME,
  POLLIN,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK_CLOEXEC,
  SOCK_STREAM,
  SYS_IOPRIO_SET,
  WNOHANG,
} from "./linux.ts";

/**
 * What a call takes: `int`, `unsigned`, a 64-bit number, memory of ours (a typed array, passed as
 * {@link Ffi.pass} says), or an address.
 */
export type ArgumentKind = "i32" | "u32" | "u64" | "memory" | "pointer";

/** Every call here returns an `int`. */
export const SIGNATURES = {
  socket: ["i32", "i32", "i32"],
  bind: ["i32", "memory", "u32"],
  listen: ["i32", "i32"],
  connect: ["i32", "memory", "u32"],
  accept4: ["i32", "memory", "memory", "i32"],
  socketpair: ["i32", "i32", "i32", "memory"],
  getpeername: ["i32", "memory", "memory"],
  getsockname: ["i32", "memory", "memory"],
  getsockopt: ["i32", "i32", "i32", "memory", "memory"],
  setsockopt: ["i32", "i32", "i32", "memory", "u32"],
  open: ["memory", "i32"],
  fchmod: ["i32", "u32"],
  dup3: ["i32", "i32", "i32"],
  fcntl: ["i32", "i32", "i32"],
  poll: ["memory", "u64", "i32"],
  epoll_create1: ["i32"],
  epoll_ctl: ["i32", "i32", "i32", "memory"],
  epoll_pwait: ["i32", "memory", "i32", "i32", "pointer"],
  setgroups: ["u64", "memory"],
  setitimer: ["i32", "memory", "pointer"],
  setrlimit: ["i32", "memory"],
  // Of the variadic ones, which is fine for numbers on x86-64 and arm64; it has no function of its own.
  syscall: ["u64", "u64", "u64", "u64"],
  memfd_create: ["memory", "u32"],
  waitpid: ["i32", "memory", "i32"],
  write: ["i32", "memory", "u64"],
  close: ["i32"],
  recv: ["i32", "memory", "u64", "i32"],
  recvmmsg: ["i32", "pointer", "u32", "i32", "pointer"],
  sendmmsg: ["i32", "pointer", "u32", "i32"],
} as const satisfies Readonly<Record<string, readonly ArgumentKind[]>>;

/** For FFIs that wait with threads of their own. */
export const EVENT_SIGNATURES = {
  eventfd: ["u32", "i32"],
  eventfd_write: ["i32", "u64"],
  epoll_create1: ["i32"],
  epoll_ctl: ["i32", "i32", "i32", "memory"],
  epoll_wait: ["i32", "pointer", "i32", "i32"],
} as const satisfies Readonly<Record<string, readonly ArgumentKind[]>>;

interface Values {
  readonly i32: number;
  readonly u32: number;
  readonly u64: bigint;
  readonly memory: Pointer;
  readonly pointer: Pointer;
}

type ValuesOf<Kinds extends readonly ArgumentKind[]> = {
  -readonly [I in keyof Kinds]: Values[Kinds[I]];
};

/** Signatures as functions. */
export type Calls<
  Table extends Readonly<Record<string, readonly ArgumentKind[]>> = typeof SIGNATURES,
> = {
  readonly [Name in keyof Table]: (...values: ValuesOf<Table[Name]>) => number;
};

/** Translates each signature of a table. */
export function declare<Declared>(
  table: Readonly<Record<string, readonly ArgumentKind[]>>,
  translate: (kinds: readonly ArgumentKind[], name: string) => Declared,
): Record<string, Declared> {
  return Object.fromEntries(
    Object.entries(table).map(([name, kinds]) => [name, translate(kinds, name)]),
  );
}

/** What a runtime's FFI has to offer. */
export interface Ffi {
  readonly calls: Calls;
  /** The thread's errno, after a call that has failed. */
  errno(): number;
  /** Typed arrays, in the form that calls take. */
  pass(memory: ArrayBufferView): Pointer;
  readonly nullPointer: Pointer;
  address: Libc["address"];
  pointer: Libc["pointer"];
  watch(fd: number, readable: () => void): ReadWatch;
  readonly epollCtl?: Libc["epollCtl"];
  readonly monotonic?: Libc["monotonic"];
  /** See {@link Libc.trimMemory}; nothing is done when absent. @throws Error when libc has no such call. */
  trim?(): void;
  /** See {@link Libc.tieToThread}; nothing is done when absent. */
  tieToThread?(fd: number): number;
  /** close(2), of what is tied to the thread as well. */
  close?(fd: number): number;
}

/** Puts the calls together. */
export function makeLibc(ffi: Ffi): Libc {
  const { calls: c, pass, nullPointer } = ffi;
  const pollfd = new Int32Array(new ArrayBuffer(8));
  const length = new Uint32Array(new ArrayBuffer(4));
  const pollfdAt = pass(pollfd);
  const lengthAt = pass(length);
  const result = (value: number): number => value < 0 ? -ffi.errno() : value;
  /** The length that the kernel has written, where the call has succeeded. */
  const sized = (value: number): number => value < 0 ? -ffi.errno() : length[0]!;
  const tieToThread = ffi.tieToThread ?? ((fd: number): number => fd);

  return {
    socket(domain, type, protocol) {
      const fd = result(c.socket(domain, type, protocol));
      return fd < 0 ? fd : tieToThread(fd);
    },
    bind: (fd, address, size) => result(c.bind(fd, pass(address), size)),
    listen: (fd, backlog) => result(c.listen(fd, backlog)),
    connect: (fd, address, size) => result(c.connect(fd, pass(address), size)),
    accept(fd, address, size) {
      size[0] = address.byteLength;
      return result(c.accept4(fd, pass(address), pass(size), SOCK_NONBLOCK_CLOEXEC));
    },
    socketpair() {
      const made = new Int32Array(new ArrayBuffer(8));
      const type = SOCK_STREAM | SOCK_NONBLOCK_CLOEXEC;
      const code = result(c.socketpair(AF_UNIX, type, 0, pass(made)));
      return code < 0 ? [code, code] : [made[0]!, made[1]!];
    },
    getpeername(fd, address) {
      length[0] = address.byteLength;
      return sized(c.getpeername(fd, pass(address), lengthAt));
    },
    getsockname(fd, address) {
      length[0] = address.byteLength;
      return sized(c.getsockname(fd, pass(address), lengthAt));
    },
    getsockopt(fd, level, option, value) {
      length[0] = value.byteLength;
      return sized(c.getsockopt(fd, level, option, pass(value), lengthAt));
    },
    setsockopt: (fd, level, option, value) =>
      result(c.setsockopt(fd, level, option, pass(value), value.byteLength)),
    openNull: () => result(c.open(pass(DEV_NULL), SOCK_CLOEXEC)),
    dup3: (fd, target, flags) => result(c.dup3(fd, target, flags)),
    fchmod: (fd, mode) => result(c.fchmod(fd, mode)),
    dup: (fd) => result(c.fcntl(fd, F_DUPFD_CLOEXEC, 0)),
    fcntl: (fd, command, argument) => result(c.fcntl(fd, command, argument)),
    tieToThread,
    waitReadable(fd) {
      pollfd.set([fd, POLLIN]);
      return result(c.poll(pollfdAt, 1n, -1));
    },
    epollCreate: () => result(c.epoll_create1(EPOLL_CLOEXEC)),
    epollControl: (epoll, operation, fd, event) =>
      result(c.epoll_ctl(epoll, operation, fd, pass(event))),
    epollReady: (epoll, events) => {
      const size = events.length / EPOLL_EVENT_WORDS;
      return result(c.epoll_pwait(epoll, pass(events), size, 0, nullPointer));
    },
    setgroups: (groups) =>
      result(c.setgroups(BigInt(groups.length), groups.length > 0 ? pass(groups) : nullPointer)),
    setitimer: (value) => result(c.setitimer(ITIMER_VIRTUAL, pass(value), nullPointer)),
    setrlimit: (resource, limits) => result(c.setrlimit(resource, pass(limits))),
    ioprioSet: (thread, priority) =>
      result(c.syscall(SYS_IOPRIO_SET, IOPRIO_WHO_PROCESS, BigInt(thread), BigInt(priority))),
    reap: (pid) => result(c.waitpid(pid, nullPointer, WNOHANG)),
    memfdCreate: () => result(c.memfd_create(pass(MFD_NAME), MFD_FLAGS)),
    write: (fd, bytes) => result(c.write(fd, pass(bytes), BigInt(bytes.length))),
    close: ffi.close ?? ((fd) => result(c.close(fd))),
    recv: (fd, bytes, flags) => result(c.recv(fd, pass(bytes), BigInt(bytes.length), flags)),
    recvmmsg: (fd, vector, count, flags) =>
      result(c.recvmmsg(fd, vector, count, flags, nullPointer)),
    sendmmsg: (fd, vector, count, flags) => result(c.sendmmsg(fd, vector, count, flags)),
    trimMemory() {
      try {
        ffi.trim?.();
      } catch {
        // Not of glibc.
      }
    },
    address: ffi.address,
    pointer: ffi.pointer,
    watch: ffi.watch,
    ...(ffi.epollCtl !== undefined && { epollCtl: ffi.epollCtl }),
    ...(ffi.monotonic !== undefined && { monotonic: ffi.monotonic }),
  };
}

/** Opens the first file of libc that there is, for FFIs that have to be told one. @throws what `open` throws. */
export function openFirst<Library>(
  files: readonly string[],
  open: (file: string) => Library,
): Library {
  let failure: unknown;
  for (const file of files) {
    try {
      return open(file);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
