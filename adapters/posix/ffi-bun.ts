/**
 * libc through bun:ffi. Bun offers no way to wait for a foreign descriptor, and libuv's poll handles
 * abort the process there: its event loop waits all the same, see loop-bun.ts; or a thread, where
 * there is no /proc, see epoll-watch.ts.
 */
import { dlopen, type FFIFunction, ptr, read } from "bun:ffi";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Start, watchWith } from "./epoll-watch.ts";
import { type Libc, LIBC_FILES } from "./libc.ts";
import { startOnLoop } from "./loop-bun.ts";
import {
  type ArgumentKind,
  type Calls,
  declare,
  EVENT_SIGNATURES,
  makeLibc,
  openFirst,
  SIGNATURES,
} from "./syscalls.ts";

const WORKER = fileURLToPath(new URL("./epoll-bun.ts", import.meta.url).href);

/** Milliseconds that the thread waits for another descriptor. */
const LINGER = 500;

/** What is used of libc here. */
export type BunCalls =
  & Calls
  & Calls<typeof EVENT_SIGNATURES>
  & { readonly __errno_location: () => ReturnType<typeof ptr> };

/** Opens libc. @throws Error. */
export function open(): Libc {
  const c = openCalls();
  const location = c.__errno_location();
  const errno = (): number => read.i32(location, 0);
  const epollCtl: NonNullable<Libc["epollCtl"]> = (epoll, operation, fd, event) =>
    c.epoll_ctl(epoll, operation, fd, ptr(event));
  const start: Start = (...parts) => startOnLoop(libc, c, startThread)(...parts);
  const libc: Libc = makeLibc({
    calls: c,
    errno,
    pass: (memory) => ptr(memory as Uint8Array),
    nullPointer: null,
    address: (memory) => ptr(memory),
    pointer: (address) => address,
    watch: watchWith({ calls: c, epollCtl, errno, close: c.close }, start),
    epollCtl,
  });
  return libc;
}

const startThread: Start = (data, ready, ended) => {
  // A process that watches nothing need not load it.
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const worker = new Worker(WORKER, { workerData: data });
  worker.on("message", ready);
  worker.once("exit", ended);
  return {
    linger: LINGER,
    threaded: true,
    keepAlive(yes) {
      if (yes) worker.ref();
      else worker.unref();
    },
  };
};

/** Opens the library; a thread has to do it for itself. */
export function openCalls(): BunCalls {
  const translate = (kinds: readonly ArgumentKind[]): FFIFunction => ({
    args: kinds.map((kind) => kind === "memory" || kind === "pointer" ? "ptr" : kind),
    returns: "i32",
  });
  const symbols = {
    ...declare({ ...SIGNATURES, ...EVENT_SIGNATURES }, translate),
    __errno_location: { args: [], returns: "ptr" } as const,
  };
  return openFirst(LIBC_FILES, (file) => dlopen(file, symbols).symbols as unknown as BunCalls);
}
