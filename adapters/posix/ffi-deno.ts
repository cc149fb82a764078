/**
 * libc through `Deno.dlopen`, which is stable but needs the ffi permission, unscoped. Deno's event
 * loop cannot wait for a foreign descriptor: a call of poll(2) on a thread of its pool does, and
 * costs some 24 µs for each wake-up. Its own sockets wait for less; adapters/deno prefers them.
 */
import { type Libc, LIBC_FILES, type ReadWatch } from "./libc.ts";
import { EFD_CLOEXEC, POLLIN } from "./linux.ts";
import {
  type ArgumentKind,
  type Calls,
  declare,
  EVENT_SIGNATURES,
  makeLibc,
  openFirst,
  SIGNATURES,
} from "./syscalls.ts";

/** poll(2) that comes back with a promise. */
type PollAsync = (
  descriptors: Int32Array<ArrayBuffer>,
  count: bigint,
  time: number,
) => Promise<number>;

type DenoCalls =
  & Calls
  & Pick<Calls<typeof EVENT_SIGNATURES>, "eventfd" | "eventfd_write" | "epoll_ctl">
  & { readonly pollAsync: PollAsync; readonly __errno_location: () => Deno.PointerValue };

/** Opens libc. @throws Error. */
export function open(): Libc {
  const c = openCalls();
  // The thread's errno stays at one address; its memory is mapped once.
  const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(c.__errno_location()!, 4));
  return makeLibc({
    calls: c,
    errno: () => errno[0]!,
    pass: (memory) => memory,
    nullPointer: null,
    address: (memory) =>
      Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory as Uint8Array<ArrayBuffer>))),
    pointer: (address) => Deno.UnsafePointer.create(BigInt(address)),
    watch: (fd, readable) => watch(c, fd, readable),
    epollCtl: (epoll, operation, fd, event) => c.epoll_ctl(epoll, operation, fd, event),
  });
}

function openCalls(): DenoCalls {
  const translate = (kinds: readonly ArgumentKind[]): Deno.ForeignFunction => ({
    parameters: kinds.map((kind) => kind === "memory" ? "buffer" : kind),
    result: "i32",
  });
  const { eventfd, eventfd_write, epoll_ctl } = EVENT_SIGNATURES;
  const symbols = {
    ...declare({ ...SIGNATURES, eventfd, eventfd_write, epoll_ctl }, translate),
    pollAsync: { name: "poll", ...translate(SIGNATURES.poll), nonblocking: true },
    __errno_location: { parameters: [], result: "pointer" },
  } as Deno.ForeignLibraryInterface;
  return openFirst(
    LIBC_FILES,
    (file) => Deno.dlopen(file, symbols).symbols as unknown as DenoCalls,
  );
}

/** Waits on a thread of the pool; an eventfd(2) ends the waiting when the watch is closed. */
function watch(c: DenoCalls, fd: number, readable: () => void): ReadWatch {
  const stop = c.eventfd(0, EFD_CLOEXEC);
  // struct pollfd, twice: the descriptor; events in the lower half of a word, revents in the upper.
  const descriptors = new Int32Array(new ArrayBuffer(16));
  let waiting: Promise<void> | undefined;
  let closed = false;

  async function wait(): Promise<void> {
    descriptors.set([fd, POLLIN, stop, POLLIN]);
    await c.pollAsync(descriptors, 2n, -1);
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
    suspend() {},
    close() {
      closed = true;
      if (waiting === undefined) c.close(stop);
      else c.eventfd_write(stop, 1n);
      return waiting;
    },
  };
}
