/**
 * libc through node:ffi (Node 26 and later), with no dependency. `uv_poll` of the runtime's own
 * event loop tells when a descriptor is readable, so that no thread is needed.
 */
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import {
  AF_UNIX,
  EINTR,
  F_DUPFD_CLOEXEC,
  ITIMER_VIRTUAL,
  MEMORY,
  MEMORY_NAME,
  NEWBORN,
  POLLIN,
  SOCK_CLOEXEC,
  SOCK_STREAM,
} from "./linux.ts";
import type { Libc, Watch } from "./libc.ts";
import type { Ffi } from "./node-ffi.ts";

const UV_READABLE = 1;
/** `uv_poll_t` takes 160 bytes in libuv 1.x; the rest is room for later versions. */
const HANDLE_BYTES = 512n;
/** The offset of `flags` in `uv_handle_t` on LP64, and two of its bits; see {@link hide}. */
const FLAGS_OFFSET = 88;
const UV_HANDLE_REF = 0x8;
const UV_HANDLE_INTERNAL = 0x10;

export function open(): Libc {
  const ffi = loadQuietly();
  const { functions: c, lib } = ffi.dlopen(null, {
    socket: { arguments: ["int32", "int32", "int32"], return: "int32" },
    bind: { arguments: ["int32", "pointer", "uint32"], return: "int32" },
    listen: { arguments: ["int32", "int32"], return: "int32" },
    connect: { arguments: ["int32", "pointer", "uint32"], return: "int32" },
    accept4: { arguments: ["int32", "pointer", "pointer", "int32"], return: "int32" },
    socketpair: { arguments: ["int32", "int32", "int32", "pointer"], return: "int32" },
    getpeername: { arguments: ["int32", "pointer", "pointer"], return: "int32" },
    getsockname: { arguments: ["int32", "pointer", "pointer"], return: "int32" },
    getsockopt: {
      arguments: ["int32", "int32", "int32", "pointer", "pointer"],
      return: "int32",
    },
    setsockopt: { arguments: ["int32", "int32", "int32", "pointer", "uint32"], return: "int32" },
    fchmod: { arguments: ["int32", "uint32"], return: "int32" },
    dup3: { arguments: ["int32", "int32", "int32"], return: "int32" },
    recvmmsg: {
      arguments: ["int32", "pointer", "uint32", "int32", "pointer"],
      return: "int32",
    },
    sendmmsg: { arguments: ["int32", "pointer", "uint32", "int32"], return: "int32" },
    fcntl: { arguments: ["int32", "int32", "int32"], return: "int32" },
    poll: { arguments: ["pointer", "uint64", "int32"], return: "int32" },
    setitimer: { arguments: ["int32", "pointer", "pointer"], return: "int32" },
    memfd_create: { arguments: ["pointer", "uint32"], return: "int32" },
    write: { arguments: ["int32", "pointer", "uint64"], return: "int32" },
    setgroups: { arguments: ["uint64", "pointer"], return: "int32" },
    malloc: { arguments: ["uint64"], return: "pointer" },
    __errno_location: { arguments: [], return: "pointer" },
    uv_poll_init: { arguments: ["pointer", "pointer", "int32"], return: "int32" },
    uv_poll_start: { arguments: ["pointer", "int32", "pointer"], return: "int32" },
    uv_poll_stop: { arguments: ["pointer"], return: "int32" },
    uv_close: { arguments: ["pointer", "pointer"], return: "void" },
    uv_unref: { arguments: ["pointer"], return: "void" },
    uv_ref: { arguments: ["pointer"], return: "void" },
  });
  const free = lib.getSymbol("free");
  const entrusted = new Set<number>();
  const asked = new Int32Array(new ArrayBuffer(8));
  const length = new Uint32Array(new ArrayBuffer(4));
  const lengthAt = ffi.getRawPointer(length);
  // The thread's errno stays at one address; its memory is mapped once.
  const errno = new Int32Array(ffi.toArrayBuffer(c.__errno_location(), 4, false));
  const result = (value: number): number => value < 0 ? -(errno[0]!) : value;

  return {
    socket(domain, type, protocol) {
      const fd = result(c.socket(domain, type, protocol));
      return fd < 0 ? fd : entrust(fd);
    },
    bind: (fd, address, size) => result(c.bind(fd, ffi.getRawPointer(address), size)),
    listen: (fd, backlog) => result(c.listen(fd, backlog)),
    connect: (fd, address, size) => result(c.connect(fd, ffi.getRawPointer(address), size)),
    accept(fd, address, size) {
      size[0] = address.byteLength;
      const at = ffi.getRawPointer(address);
      return result(c.accept4(fd, at, ffi.getRawPointer(size), NEWBORN));
    },
    pair() {
      const made = new Int32Array(new ArrayBuffer(8));
      const at = ffi.getRawPointer(made);
      const code = result(c.socketpair(AF_UNIX, SOCK_STREAM | NEWBORN, 0, at));
      return code < 0 ? [code, code] : [made[0]!, made[1]!];
    },
    peerName(fd, address) {
      length[0] = address.byteLength;
      const code = result(c.getpeername(fd, ffi.getRawPointer(address), lengthAt));
      return code < 0 ? code : length[0]!;
    },
    name(fd, address) {
      length[0] = address.byteLength;
      const code = result(c.getsockname(fd, ffi.getRawPointer(address), lengthAt));
      return code < 0 ? code : length[0]!;
    },
    getOption(fd, level, option, value) {
      length[0] = value.byteLength;
      const code = result(c.getsockopt(fd, level, option, ffi.getRawPointer(value), lengthAt));
      return code < 0 ? code : length[0]!;
    },
    setOption: (fd, level, option, value) =>
      result(c.setsockopt(fd, level, option, ffi.getRawPointer(value), value.byteLength)),
    duplicate: (fd, target, flags) => result(c.dup3(fd, target, flags)),
    permit: (fd, mode) => result(c.fchmod(fd, mode)),
    dup: (fd) => result(c.fcntl(fd, F_DUPFD_CLOEXEC, 0)),
    control: (fd, command, argument) => result(c.fcntl(fd, command, argument)),
    entrust,
    wait(fd) {
      asked.set([fd, POLLIN]);
      return result(c.poll(ffi.getRawPointer(asked), 1n, -1));
    },
    setGroups: (groups) => result(c.setgroups(BigInt(groups.length), ffi.getRawPointer(groups))),
    setTimer: (value) => result(c.setitimer(ITIMER_VIRTUAL, ffi.getRawPointer(value), 0n)),
    memory: () => result(c.memfd_create(ffi.getRawPointer(MEMORY_NAME), MEMORY)),
    write: (fd, bytes) => result(c.write(fd, ffi.getRawPointer(bytes), BigInt(bytes.length))),
    close,
    receiveMany(fd, vector, count, flags) {
      const n = c.recvmmsg(fd, vector as bigint, count, flags, 0n);
      return n < 0 ? -(errno[0]!) : n;
    },
    sendMany(fd, vector, count, flags) {
      const n = c.sendmmsg(fd, vector as bigint, count, flags);
      return n < 0 ? -(errno[0]!) : n;
    },
    address: (memory) => Number(ffi.getRawPointer(memory)),
    pointer: (address) => BigInt(address),
    watch,
  };

  function watch(fd: number, readable: () => void): Watch {
    const handle = c.malloc(HANDLE_BYTES);
    const callback = lib.registerCallback(
      { arguments: ["pointer", "int32", "int32"], return: "void" },
      readable,
    );
    const failed = c.uv_poll_init(ffi.getCurrentEventLoop(), handle, fd);
    if (failed < 0) throw new Error(`uv_poll_init: ${failed}`);
    if (!isMainThread) hide(handle);
    c.uv_poll_start(handle, UV_READABLE, callback);
    let held = false;
    return {
      threaded: false,
      rearm() {
        if (held) c.uv_poll_start(handle, UV_READABLE, callback);
        held = false;
      },
      hold() {
        held = true;
        c.uv_poll_stop(handle);
      },
      close() {
        c.uv_poll_stop(handle);
        c.uv_close(handle, free);
        lib.unregisterCallback(callback);
        return undefined;
      },
    };
  }

  /**
   * A worker that ends while a handle of its loop is open aborts the whole process, and nothing runs
   * in it that could close one of ours when it is terminated. Handles marked as internal to libuv
   * are left out of that check.
   */
  function hide(handle: bigint): void {
    const before = ffi.getUint32(handle, FLAGS_OFFSET);
    c.uv_unref(handle);
    const between = ffi.getUint32(handle, FLAGS_OFFSET);
    c.uv_ref(handle);
    // The one bit that uv_unref clears shows that this is where this libuv keeps its flags.
    if (before !== UV_HANDLE_REF || between !== 0) {
      throw new Error("this version of libuv lays its handles out in another way");
    }
    ffi.setUint32(handle, FLAGS_OFFSET, before | UV_HANDLE_INTERNAL);
  }

  /**
   * Node closes what `fs.open` opened when a worker ends, and nothing else. So the socket takes the
   * number of a file that was opened that way.
   */
  function entrust(fd: number): number {
    if (isMainThread) return fd;
    const target = openSync("/dev/null", "r");
    const code = result(c.dup3(fd, target, SOCK_CLOEXEC));
    closePlain(fd);
    if (code < 0) closeSync(target);
    else entrusted.add(code);
    return code;
  }

  function closePlain(fd: number): number {
    closer ??= lib.getFunction("close", { arguments: ["int32"], return: "int32" });
    return result(closer(fd));
  }

  function close(fd: number): number {
    // Node warns of what it closes and never opened.
    if (!entrusted.delete(fd)) return closePlain(fd);
    try {
      closeSync(fd);
      return 0;
    } catch (error) {
      return (error as { errno?: number }).errno ?? -EINTR;
    }
  }
}

let closer: ((fd: number) => number) | undefined;

/** Node warns once that its FFI is experimental: that is for us to know, not for those who run a server. */
function loadQuietly(): Ffi {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule("node:ffi") as unknown as Ffi;
  } finally {
    process.emitWarning = emitWarning;
  }
}
