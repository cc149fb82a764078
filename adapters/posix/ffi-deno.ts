/**
 * libc through `Deno.dlopen`, which is stable but needs the ffi permission, unscoped. Deno's event
 * loop cannot wait for a foreign descriptor: a call of poll(2) on a thread of its pool does, and
 * costs some 24 µs for each wake-up. Its own sockets wait for less; adapters/deno prefers them.
 */
import { type Libc, LIBC_FILES, type Pointer, type Watch } from "./libc.ts";
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

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  dup3: { parameters: ["i32", "i32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  pollHere: { name: "poll", parameters: ["buffer", "u64", "i32"], result: "i32" },
  setgroups: { parameters: ["u64", "buffer"], result: "i32" },
  setitimer: { parameters: ["i32", "buffer", "pointer"], result: "i32" },
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u64"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  recvmmsg: { parameters: ["i32", "pointer", "u32", "i32", "pointer"], result: "i32" },
  sendmmsg: { parameters: ["i32", "pointer", "u32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  eventfd_write: { parameters: ["i32", "u64"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const EFD_CLOEXEC = 0o2000000;

export function open(): Libc {
  const c = openFirst();
  const asked = new Int32Array(new ArrayBuffer(8));
  const length = new Uint32Array(new ArrayBuffer(4));
  // The thread's errno stays at one address; its memory is mapped once.
  const location = c.__errno_location();
  const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location!, 4));
  const result = (value: number): number => value < 0 ? -(errno[0]!) : value;
  const lent = (bytes: Uint8Array): BufferSource => bytes as Uint8Array<ArrayBuffer>;

  return {
    socket: (domain, type, protocol) => result(c.socket(domain, type, protocol)),
    bind: (fd, address, size) => result(c.bind(fd, lent(address), size)),
    listen: (fd, backlog) => result(c.listen(fd, backlog)),
    connect: (fd, address, size) => result(c.connect(fd, lent(address), size)),
    accept(fd, address, size) {
      size[0] = address.byteLength;
      return result(c.accept4(fd, lent(address), size as Uint32Array<ArrayBuffer>, NEWBORN));
    },
    pair() {
      const made = new Int32Array(new ArrayBuffer(8));
      const code = result(c.socketpair(AF_UNIX, SOCK_STREAM | NEWBORN, 0, made));
      return code < 0 ? [code, code] : [made[0]!, made[1]!];
    },
    peerName(fd, address) {
      length[0] = address.byteLength;
      const code = result(c.getpeername(fd, lent(address), length));
      return code < 0 ? code : length[0]!;
    },
    name(fd, address) {
      length[0] = address.byteLength;
      const code = result(c.getsockname(fd, lent(address), length));
      return code < 0 ? code : length[0]!;
    },
    getOption(fd, level, option, value) {
      length[0] = value.byteLength;
      const code = result(c.getsockopt(fd, level, option, lent(value), length));
      return code < 0 ? code : length[0]!;
    },
    setOption: (fd, level, option, value) =>
      result(c.setsockopt(fd, level, option, lent(value), value.byteLength)),
    duplicate: (fd, target, flags) => result(c.dup3(fd, target, flags)),
    permit: (fd, mode) => result(c.fchmod(fd, mode)),
    dup: (fd) => result(c.fcntl(fd, F_DUPFD_CLOEXEC, 0)),
    control: (fd, command, argument) => result(c.fcntl(fd, command, argument)),
    entrust: (fd) => fd,
    wait(fd) {
      asked.set([fd, POLLIN]);
      return result(c.pollHere(asked, 1n, -1));
    },
    setGroups: (groups) =>
      result(c.setgroups(BigInt(groups.length), groups as Uint32Array<ArrayBuffer>)),
    setTimer: (value) =>
      result(c.setitimer(ITIMER_VIRTUAL, value as BigInt64Array<ArrayBuffer>, null)),
    memory: () => result(c.memfd_create(MEMORY_NAME, MEMORY)),
    write: (fd, bytes) => result(c.write(fd, lent(bytes), BigInt(bytes.length))),
    close: (fd) => result(c.close(fd)),
    receiveMany(fd, vector, count, flags) {
      const n = c.recvmmsg(fd, vector as Deno.PointerValue, count, flags, null);
      return n < 0 ? -(errno[0]!) : n;
    },
    sendMany(fd, vector, count, flags) {
      const n = c.sendmmsg(fd, vector as Deno.PointerValue, count, flags);
      return n < 0 ? -(errno[0]!) : n;
    },
    address: (memory) =>
      Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory as Uint8Array<ArrayBuffer>))),
    pointer: (address): Pointer => Deno.UnsafePointer.create(BigInt(address)),
    watch: (fd, readable) => watch(c, fd, readable),
  };
}

/** Waits on a thread of the pool; an eventfd(2) ends the waiting when the watch is closed. */
function watch(c: Symbols, fd: number, readable: () => void): Watch {
  const stop = c.eventfd(0, EFD_CLOEXEC);
  // struct pollfd, twice: the descriptor; events in the lower half of a word, revents in the upper.
  const descriptors = new Int32Array(new ArrayBuffer(16));
  let waiting: Promise<void> | undefined;
  let closed = false;

  async function wait(): Promise<void> {
    descriptors.set([fd, POLLIN, stop, POLLIN]);
    await c.poll(descriptors, 2n, -1);
    waiting = undefined;
    if (closed) c.close(stop);
    else readable();
  }

  waiting = wait();
  return {
    threaded: true,
    rearm() {
      waiting = wait();
    },
    // Once it has reported nobody waits.
    hold() {},
    close() {
      closed = true;
      if (waiting === undefined) c.close(stop);
      else c.eventfd_write(stop, 1n);
      return waiting;
    },
  };
}

function openFirst(): Symbols {
  let failure: unknown;
  for (const file of LIBC_FILES) {
    try {
      return Deno.dlopen(file, SYMBOLS).symbols;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
