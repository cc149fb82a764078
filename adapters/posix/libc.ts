/**
 * The few calls of libc(7) that the runtimes do not offer, behind one interface: sockets of our own,
 * their options, and datagrams in batches. There is one implementation for each FFI, loaded when a
 * service first needs it; a process that serves only streams never opens a library.
 */
import { createRequire, isBuiltin } from "node:module";
import process from "node:process";
import type { Lack, Support } from "../../runtime/core/contract.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { isShortage } from "../errno.ts";

/** The address of memory, in the form that the FFI at hand passes fastest. */
export type Pointer = bigint | number | object | null;

/**
 * System calls. A result below zero is an errno(3), negated. Memory that is passed has to be that of
 * an `ArrayBuffer` (small typed arrays made in another way may move), and to be kept alive by the caller.
 */
export interface Libc {
  /** socket(2). */
  socket(domain: number, type: number, protocol: number): number;
  /** bind(2) to the first `size` bytes of a sockaddr. */
  bind(fd: number, address: Uint8Array, size: number): number;
  /** listen(2): on a socket that listens already it changes the backlog. */
  listen(fd: number, backlog: number): number;
  /** connect(2) to the first `size` bytes of a sockaddr. */
  connect(fd: number, address: Uint8Array, size: number): number;
  /**
   * accept4(2), non-blocking and close-on-exec: the descriptor. The peer's sockaddr is written to
   * `address`, and its size to `size[0]`.
   */
  accept(fd: number, address: Uint8Array, size: Uint32Array): number;
  /** socketpair(2) of Unix streams, non-blocking and close-on-exec; twice the same errno when it fails. */
  socketpair(): readonly [number, number];
  /** getsockname(2) into `address`; the size of the name. */
  getsockname(fd: number, address: Uint8Array): number;
  /** getpeername(2), likewise. */
  getpeername(fd: number, address: Uint8Array): number;
  /** getsockopt(2) into `value`; the size of the value. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  /** setsockopt(2). */
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  /** open(2) of /dev/null for reading, close-on-exec. Of `node:fs`, Deno would load what takes 12 ms. */
  openNull(): number;
  /** fchmod(2), which on Deno works for descriptors of its own only. */
  fchmod(fd: number, mode: number): number;
  /** dup3(2): `target` becomes another number for what `fd` is, and is closed first. */
  dup3(fd: number, target: number, flags: number): number;
  /** Another, close-on-exec number for the same socket; the lowest that is free. */
  dup(fd: number): number;
  /** fcntl(2) with a number as its argument. */
  fcntl(fd: number, command: number, argument: number): number;
  /**
   * Lets a descriptor end with the thread that runs this, where a runtime can do that (Node). Only for
   * those that {@link close} will close; what {@link socket} has made is so already.
   *
   * @returns its number from now on, which may be another one.
   */
  tieToThread(fd: number): number;
  /** Blocks the thread until there is something to read, or the end; poll(2). */
  waitReadable(fd: number): number;
  /** epoll_create1(2), close-on-exec. */
  epollCreate(): number;
  /** epoll_ctl(2) with a struct epoll_event. */
  epollControl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  /** epoll_pwait(2) of what is ready now: how many of the struct epoll_event were filled. */
  epollReady(epoll: number, events: Int32Array): number;
  /** setgroups(2), for every thread of the process. */
  setgroups(groups: Uint32Array): number;
  /** setitimer(2) of ITIMER_VIRTUAL, the process's own CPU time, with a struct itimerval. */
  setitimer(value: BigInt64Array): number;
  /** setrlimit(2) with a struct rlimit: two 64-bit numbers. */
  setrlimit(resource: number, limits: BigUint64Array): number;
  /** ioprio_set(2) of one thread; 0 is the one that calls. */
  ioprioSet(thread: number, priority: number): number;
  /** waitpid(2), without waiting: the process, or 0 when it has not ended. */
  reap(pid: number): number;
  /** memfd_create(2): a file without a name, close-on-exec, that can be sealed. */
  memfdCreate(): number;
  /** write(2): how many of the bytes were taken. */
  write(fd: number, bytes: Uint8Array): number;
  /** close(2). */
  close(fd: number): number;
  /** recv(2): how many bytes were received. */
  recv(fd: number, bytes: Uint8Array, flags: number): number;
  /** recvmmsg(2) without a time limit: how many messages of `vector` were filled. */
  recvmmsg(fd: number, vector: Pointer, count: number, flags: number): number;
  /** sendmmsg(2): how many messages of `vector` went out. */
  sendmmsg(fd: number, vector: Pointer, count: number, flags: number): number;
  /**
   * malloc_trim(3): whole pages that are free within the allocator go back to the kernel. Nothing where libc has
   * no such call (musl), or is not what the runtime allocates with (Bun).
   */
  trimMemory(): void;
  /** Where `memory` is, as a number to write into structures. User space ends below 2^53. */
  address(memory: Uint8Array): number;
  /** An address in the form that calls take. */
  pointer(address: number): Pointer;
  /**
   * Calls `readable` whenever the descriptor has something to read.
   *
   * @throws PorticoError or Error when it cannot be waited for: EMFILE, ENOSPC …
   */
  watch(fd: number, readable: () => void): ReadWatch;
  /**
   * clock_gettime(2) of CLOCK_MONOTONIC, in ms. Absent where the runtime's `performance.now()` is as quick.
   */
  readonly monotonic?: (() => number) | undefined;
  /**
   * epoll_ctl(2) with a struct epoll_event. Absent on Node, which needs none: it takes sockets by
   * descriptor.
   */
  readonly epollCtl?:
    | ((epoll: number, operation: number, fd: number, event: Uint8Array<ArrayBuffer>) => number)
    | undefined;
}

/** A descriptor being watched. It keeps the process alive. */
export interface ReadWatch {
  /** Another thread waits: to look again is cheaper, and sooner, than to be told. */
  readonly threaded: boolean;
  /** To be called when `readable` has drained the descriptor; a watch may report only once until then. */
  rearm(): void;
  /** Keeps it quiet until {@link rearm}, though there is something to read. */
  suspend(): void;
  /** Ends it; `readable` is not called any more. To be called before the descriptor is closed. */
  close(): void;
}

const OTHER_SYSTEM: Lack = {
  reason: "the layout of socket structures is known for Linux on x86-64 and arm64 only",
};

/**
 * Whether {@link openLibc} can work here. It opens no library, so that asking costs next to nothing; but for
 * koffi, on a Node without an FFI of its own, which is loaded once.
 */
export function ffiSupport(): Support {
  if (process.platform !== "linux") return OTHER_SYSTEM;
  // Both are little-endian LP64; msghdr, mmsghdr, iovec and sockaddr are laid out the same on them.
  if (process.arch !== "x64" && process.arch !== "arm64") return OTHER_SYSTEM;
  if ("Deno" in globalThis) {
    if (Deno.permissions.querySync({ name: "ffi" }).state === "granted") return true;
    return { reason: "Deno was not given the ffi permission", remedy: "add --allow-ffi, unscoped" };
  }
  if ("Bun" in globalThis) return true;
  if (hasNodeFfi()) return true;
  const koffi = koffiSupport();
  if (koffi === true) return true;
  if (process.permission !== undefined) {
    return { reason: "node's permission model forbids FFI", remedy: "add --allow-ffi" };
  }
  if (koffi !== undefined) return koffi;
  return isBuiltin("node:ffi")
    ? { reason: "node:ffi cannot be loaded", remedy: "install the package koffi" }
    : Number.parseInt(process.versions.node) >= 26
    ? {
      reason: "node:ffi is switched off",
      remedy: "start node without --no-experimental-ffi, or install the package koffi",
    }
    : {
      reason: "this version of node has no FFI of its own",
      remedy: "install the package koffi, or use node 26",
    };
}

function hasNodeFfi(): boolean {
  // `permission` exists only under --permission; its scopes are not in the types.
  return isBuiltin("node:ffi") && (process.permission?.has("ffi") ?? true);
}

let koffi: { readonly support: Support | undefined } | undefined;

/**
 * Whether koffi can be used; undefined where it is not installed. It is loaded to know: its native module is a
 * package of its own, which an install may have left out.
 */
function koffiSupport(): Support | undefined {
  if (process.permission !== undefined && !process.permission.has("addon")) return undefined;
  return (koffi ??= { support: tryKoffi() }).support;
}

function tryKoffi(): Support | undefined {
  const require = createRequire(import.meta.url);
  try {
    require.resolve("koffi");
  } catch {
    return undefined;
  }
  try {
    require("koffi");
    return true;
  } catch (error) {
    const [why] = String((error as { message?: unknown } | null)?.message ?? error).split(/[;\n]/);
    return {
      reason: `the package koffi cannot be loaded: ${why}`,
      remedy:
        "install it with its native module (npm install, optional packages included), or use node 26",
    };
  }
}

let opened: Promise<Libc> | undefined;

/**
 * Opens libc, once for each thread. That it cannot be opened is remembered, but for a shortage that may be over.
 *
 * @throws PorticoError NOT_SUPPORTED where {@link ffiSupport} says no, or the library cannot be opened.
 */
export function openLibc(): Promise<Libc> {
  return opened ??= load().catch((error: PorticoError) => {
    if (isShortage(error.cause)) opened = undefined;
    throw error;
  });
}

/** What {@link openLibc} throws where {@link ffiSupport} says no. */
export function noDescriptor(): PorticoError {
  const support = ffiSupport();
  if (support === true) {
    return new PorticoError("NOT_SUPPORTED", "the runtime keeps the descriptor to itself");
  }
  const remedy = support.remedy === undefined ? "" : `: ${support.remedy}`;
  return new PorticoError("NOT_SUPPORTED", support.reason + remedy);
}

async function load(): Promise<Libc> {
  if (ffiSupport() !== true) throw noDescriptor();
  try {
    const module = "Deno" in globalThis
      ? await import("./ffi-deno.ts")
      : "Bun" in globalThis
      ? await import("./ffi-bun.ts")
      : hasNodeFfi()
      ? await import("./ffi-node.ts")
      : await import("./ffi-koffi.ts");
    return await module.open();
  } catch (cause) {
    throw new PorticoError("NOT_SUPPORTED", `libc cannot be opened: ${String(cause)}`, { cause });
  }
}

/** File names of libc for runtimes that have to be told one: of glibc, then of musl. */
export const LIBC_FILES: readonly string[] = [
  "libc.so.6",
  process.arch === "arm64" ? "libc.musl-aarch64.so.1" : "libc.musl-x86_64.so.1",
];
