/**
 * libc through node:ffi (Node 26 and later), with no dependency. `uv_poll` of the runtime's own
 * event loop tells when a descriptor is readable, so that no thread is needed.
 */
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import type { Libc, ReadWatch } from "./libc.ts";
import { tyingToThread } from "./node-descriptors.ts";
import type { ForeignFunction, Library, NodeFfi, Signature, Type } from "./node-ffi-types.ts";
import { type ArgumentKind, type Calls, declare, makeLibc, SIGNATURES } from "./syscalls.ts";

const UV_READABLE = 1;
/** `uv_poll_t` takes 160 bytes in libuv 1.x; the rest is room for later versions. */
const HANDLE_BYTES = 512n;
/** The offset of `flags` in `uv_handle_t` on LP64, and two of its bits; see {@link markInternal}. */
const FLAGS_OFFSET = 88;
const UV_HANDLE_REF = 0x8;
const UV_HANDLE_INTERNAL = 0x10;

const TYPES: Readonly<Record<ArgumentKind, Type>> = {
  i32: "int32",
  u32: "uint32",
  u64: "uint64",
  memory: "pointer",
  pointer: "pointer",
};

/** What Node needs beside {@link SIGNATURES}. */
const OTHERS = {
  __errno_location: { arguments: [], return: "pointer" },
  malloc: { arguments: ["uint64"], return: "pointer" },
  uv_poll_init: { arguments: ["pointer", "pointer", "int32"], return: "int32" },
  uv_poll_start: { arguments: ["pointer", "int32", "pointer"], return: "int32" },
  uv_poll_stop: { arguments: ["pointer"], return: "int32" },
  uv_close: { arguments: ["pointer", "pointer"], return: "void" },
  uv_unref: { arguments: ["pointer"], return: "void" },
  uv_ref: { arguments: ["pointer"], return: "void" },
} as const satisfies Readonly<Record<string, Signature>>;

const TRIM = { arguments: ["uint64"], return: "int32" } as const satisfies Signature;

type OtherCalls = {
  readonly [Name in keyof typeof OTHERS]: ForeignFunction<(typeof OTHERS)[Name]>;
};

/** Opens libc and libuv, which are in the process already. @throws Error. */
export function open(): Libc {
  const ffi = loadQuietly();
  const translate = (kinds: readonly ArgumentKind[]): Signature => ({
    arguments: kinds.map((kind) => TYPES[kind]),
    return: "int32",
  });
  const { functions, lib } = ffi.dlopen(null, { ...declare(SIGNATURES, translate), ...OTHERS });
  const calls = functions as unknown as Calls & OtherCalls;
  // The thread's errno stays at one address; its memory is mapped once.
  const words = new Int32Array(ffi.toArrayBuffer(calls.__errno_location(), 4, false));
  const errno = (): number => words[0]!;
  return makeLibc({
    calls,
    errno,
    pass: (memory) => ffi.getRawPointer(memory),
    nullPointer: 0n,
    address: (memory) => Number(ffi.getRawPointer(memory)),
    pointer: (address) => BigInt(address),
    trim: () => void lib.getFunction("malloc_trim", TRIM)(0n),
    ...tyingToThread(calls, errno),
    watch: watchWith(ffi, lib, calls),
  });
}

function watchWith(
  ffi: NodeFfi,
  lib: Library,
  c: OtherCalls,
): (fd: number, readable: () => void) => ReadWatch {
  const free = lib.getSymbol("free");

  /**
   * A worker that ends while a handle of its loop is open aborts the whole process, and nothing runs
   * in it that could close one of ours when it is terminated. Handles marked as internal to libuv
   * are left out of that check.
   */
  function markInternal(handle: bigint): void {
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

  return (fd, readable) => {
    const handle = c.malloc(HANDLE_BYTES);
    const callback = lib.registerCallback(
      { arguments: ["pointer", "int32", "int32"], return: "void" },
      readable,
    );
    const failed = c.uv_poll_init(ffi.getCurrentEventLoop(), handle, fd);
    if (failed < 0) throw new Error(`uv_poll_init: ${failed}`);
    if (!isMainThread) markInternal(handle);
    c.uv_poll_start(handle, UV_READABLE, callback);
    let suspended = false;
    return {
      threaded: false,
      rearm() {
        if (suspended) c.uv_poll_start(handle, UV_READABLE, callback);
        suspended = false;
      },
      suspend() {
        suspended = true;
        c.uv_poll_stop(handle);
      },
      close() {
        c.uv_poll_stop(handle);
        c.uv_close(handle, free);
        lib.unregisterCallback(callback);
      },
    };
  };
}

/** Node warns once that its FFI is experimental: that is for us to know, not for those who run a server. */
function loadQuietly(): NodeFfi {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule("node:ffi") as unknown as NodeFfi;
  } finally {
    process.emitWarning = emitWarning;
  }
}
