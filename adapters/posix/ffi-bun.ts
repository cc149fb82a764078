/**
 * libc through bun:ffi. Bun's event loop cannot wait for a foreign descriptor, and libuv's poll
 * handles abort the process there: a thread waits in epoll(7) instead, see epoll.ts.
 */
import { dlopen, ptr, read } from "bun:ffi";
import { type Libc, LIBC_FILES } from "./libc.ts";
import {
  AF_UNIX,
  F_DUPFD_CLOEXEC,
  ITIMER_VIRTUAL,
  MEMORY,
  MEMORY_NAME,
  NEWBORN,
  POLLIN,
  SOCK_STREAM,
} from "./linux.ts";
import { watchWith } from "./epoll.ts";

const SYMBOLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  getpeername: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  fchmod: { args: ["i32", "u32"], returns: "i32" },
  dup3: { args: ["i32", "i32", "i32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  setgroups: { args: ["u64", "ptr"], returns: "i32" },
  setitimer: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  recvmmsg: { args: ["i32", "ptr", "u32", "i32", "ptr"], returns: "i32" },
  sendmmsg: { args: ["i32", "ptr", "u32", "i32"], returns: "i32" },
  epoll_create1: { args: ["i32"], returns: "i32" },
  epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  epoll_wait: { args: ["i32", "ptr", "i32", "i32"], returns: "i32" },
  eventfd: { args: ["u32", "i32"], returns: "i32" },
  eventfd_write: { args: ["i32", "u64"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

/** What bun:ffi gives for {@link SYMBOLS}. */
export type Symbols = ReturnType<typeof openSymbols>;

type Address = ReturnType<typeof ptr>;

export function open(): Libc {
  const c = openSymbols();
  const asked = new Int32Array(new ArrayBuffer(8));
  const length = new Uint32Array(new ArrayBuffer(4));
  const location = c.__errno_location()!;
  const result = (value: number): number => value < 0 ? -read.i32(location, 0) : value;

  return {
    socket: (domain, type, protocol) => result(c.socket(domain, type, protocol)),
    bind: (fd, address, size) => result(c.bind(fd, ptr(address), size)),
    listen: (fd, backlog) => result(c.listen(fd, backlog)),
    connect: (fd, address, size) => result(c.connect(fd, ptr(address), size)),
    accept(fd, address, size) {
      size[0] = address.byteLength;
      return result(c.accept4(fd, ptr(address), ptr(size), NEWBORN));
    },
    pair() {
      const made = new Int32Array(new ArrayBuffer(8));
      const code = result(c.socketpair(AF_UNIX, SOCK_STREAM | NEWBORN, 0, ptr(made)));
      return code < 0 ? [code, code] : [made[0]!, made[1]!];
    },
    peerName(fd, address) {
      length[0] = address.byteLength;
      const code = result(c.getpeername(fd, ptr(address), ptr(length)));
      return code < 0 ? code : length[0]!;
    },
    name(fd, address) {
      length[0] = address.byteLength;
      const code = result(c.getsockname(fd, ptr(address), ptr(length)));
      return code < 0 ? code : length[0]!;
    },
    getOption(fd, level, option, value) {
      length[0] = value.byteLength;
      const code = result(c.getsockopt(fd, level, option, ptr(value), ptr(length)));
      return code < 0 ? code : length[0]!;
    },
    setOption: (fd, level, option, value) =>
      result(c.setsockopt(fd, level, option, ptr(value), value.byteLength)),
    duplicate: (fd, target, flags) => result(c.dup3(fd, target, flags)),
    permit: (fd, mode) => result(c.fchmod(fd, mode)),
    dup: (fd) => result(c.fcntl(fd, F_DUPFD_CLOEXEC, 0)),
    control: (fd, command, argument) => result(c.fcntl(fd, command, argument)),
    entrust: (fd) => fd,
    wait(fd) {
      asked.set([fd, POLLIN]);
      return result(c.poll(ptr(asked), 1n, -1));
    },
    setGroups: (groups) =>
      result(c.setgroups(BigInt(groups.length), groups.length > 0 ? ptr(groups) : null)),
    setTimer: (value) => result(c.setitimer(ITIMER_VIRTUAL, ptr(value), null)),
    memory: () => result(c.memfd_create(ptr(MEMORY_NAME), MEMORY)),
    write: (fd, bytes) => result(c.write(fd, ptr(bytes), BigInt(bytes.length))),
    close: (fd) => result(c.close(fd)),
    receiveMany: (fd, vector, count, flags) =>
      result(c.recvmmsg(fd, vector as Address, count, flags, null)),
    sendMany: (fd, vector, count, flags) => result(c.sendmmsg(fd, vector as Address, count, flags)),
    address: (memory) => ptr(memory),
    pointer: (address) => address,
    watch: watchWith(c),
  };
}

/** Opens the library; a thread has to do it for itself. */
export function openSymbols() {
  let failure: unknown;
  for (const file of LIBC_FILES) {
    try {
      return dlopen(file, SYMBOLS).symbols;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
