/**
 * libc through koffi, an optional dependency, for Node 24 and for a Node whose own FFI is switched
 * off. Its poll handles are `uv_poll` on the runtime's own event loop, and end with a worker's.
 */
import { createRequire } from "node:module";
import type { Libc } from "./libc.ts";
import { tyingToThread } from "./node-descriptors.ts";
import { type ArgumentKind, type Calls, declare, makeLibc, SIGNATURES } from "./syscalls.ts";

type Koffi = typeof import("koffi");

const TYPES: Readonly<Record<ArgumentKind, string>> = {
  i32: "int",
  u32: "uint32_t",
  u64: "uint64_t",
  memory: "void *",
  pointer: "void *",
};

/** Opens libc. @throws Error. */
export function open(): Libc {
  const koffi = createRequire(import.meta.url)("koffi") as Koffi;
  const lib = koffi.load(null);
  const calls = declare(
    SIGNATURES,
    (kinds, name) => lib.func(name, "int", kinds.map((kind) => TYPES[kind])),
  ) as unknown as Calls;
  const errno = (): number => koffi.errno();
  return makeLibc({
    calls,
    errno,
    pass: (memory) => memory,
    nullPointer: null,
    address: (memory) => Number(koffi.address(memory)),
    pointer: (address) => BigInt(address),
    trim: () => void lib.func("malloc_trim", "int", ["size_t"])(0),
    ...tyingToThread(calls, errno),
    watch(fd, readable) {
      const handle = koffi.node.poll(fd, readable);
      let suspended = false;
      return {
        threaded: false,
        rearm() {
          if (suspended) handle.start(readable);
          suspended = false;
        },
        suspend() {
          suspended = true;
          handle.stop();
        },
        close: () => void handle.close(),
      };
    },
  });
}
