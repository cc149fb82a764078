/**
 * libc through `Deno.dlopen`, which is stable but needs the ffi permission, unscoped. Deno's event
 * loop cannot wait for a foreign descriptor: a call of epoll_wait(2) on a thread of its pool does,
 * see epoll-watch.ts, and costs some 24 µs for each wake-up. Its own sockets wait for less;
 * adapters/deno prefers them. There are 32 of those threads, which files and names need as well, so
 * that one has to do for all descriptors.
 */
import { eventBuffer, EVENTS, readyIn, type Start, watchWith } from "./epoll-watch.ts";
import { type Libc, LIBC_FILES } from "./libc.ts";
import { CLOCK_MONOTONIC } from "./linux.ts";
import {
  type ArgumentKind,
  type Calls,
  declare,
  EVENT_SIGNATURES,
  makeLibc,
  openFirst,
  SIGNATURES,
} from "./syscalls.ts";

/** epoll_wait(2) that comes back with a promise. */
type WaitAsync = (
  epoll: number,
  events: Int32Array<ArrayBuffer>,
  count: number,
  time: number,
) => Promise<number>;

type DenoCalls = Calls & Calls<typeof EVENT_SIGNATURES> & {
  readonly waitAsync: WaitAsync;
  readonly clock_gettime: (clock: number, time: Int32Array<ArrayBuffer>) => number;
  readonly __errno_location: () => Deno.PointerValue;
  readonly malloc_trim: ((pad: bigint) => number) | null;
};

/** Opens libc. @throws Error. */
export function open(): Libc {
  const c = openCalls();
  // The thread's errno stays at one address; its memory is mapped once.
  const words = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(c.__errno_location()!, 4));
  const errno = (): number => words[0]!;
  return makeLibc({
    calls: c,
    errno,
    pass: (memory) => memory,
    nullPointer: null,
    address: (memory) =>
      Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory as Uint8Array<ArrayBuffer>))),
    pointer: (address) => Deno.UnsafePointer.create(BigInt(address)),
    trim: () => void c.malloc_trim?.(0n),
    watch: watchWith({ calls: c, epollCtl: c.epoll_ctl, errno, close: c.close }, startWith(c)),
    epollCtl: c.epoll_ctl,
    monotonic: () => {
      c.clock_gettime(CLOCK_MONOTONIC, TIME);
      return TIME[0]! * 1000 + TIME[2]! / 1e6;
    },
  });
}

/** A struct timespec: seconds and nanoseconds, of 64 bits each; no machine runs for 2^31 seconds. */
const TIME = new Int32Array(new ArrayBuffer(16));

const WAIT = ["i32", "memory", "i32", "i32"] as const;

function openCalls(): DenoCalls {
  const translate = (kinds: readonly ArgumentKind[]): Deno.ForeignFunction => ({
    parameters: kinds.map((kind) => kind === "memory" ? "buffer" : kind),
    result: "i32",
  });
  const symbols = {
    ...declare({ ...SIGNATURES, ...EVENT_SIGNATURES }, translate),
    waitAsync: { name: "epoll_wait", ...translate(WAIT), nonblocking: true },
    clock_gettime: translate(["i32", "memory"]),
    __errno_location: { parameters: [], result: "pointer" },
    malloc_trim: { ...translate(["u64"]), optional: true },
  } as Deno.ForeignLibraryInterface;
  return openFirst(
    LIBC_FILES,
    (file) => Deno.dlopen(file, symbols).symbols as unknown as DenoCalls,
  );
}

/** Waits again and again on a thread of the pool. That keeps the process alive: it ends with the last descriptor. */
function startWith(c: DenoCalls): Start {
  return ({ epoll, stop }, ready, ended) => {
    const events = eventBuffer();
    async function wait(): Promise<void> {
      for (;;) {
        // Without a time limit; EINTR comes back as -1 and is tried again.
        const fds = readyIn(events, await c.waitAsync(epoll, events, EVENTS, -1));
        if (fds.includes(stop)) return ended();
        ready(fds);
      }
    }
    void wait();
    return { linger: 0, threaded: true, keepAlive() {} };
  };
}
