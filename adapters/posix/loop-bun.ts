/**
 * Waiting on Bun's own event loop. Bun waits for no foreign descriptor, but for its sockets, each of
 * which it knows by what its epoll(7) tells with the event. In the place of one, the end of a pair, our
 * epoll is registered: whenever something is ready there, Bun reads that end, finds the byte that
 * always lies in it, and so calls us. That takes no thread, and no message for a wake-up.
 */
import { callFailure } from "../errno.ts";
import { eventBuffer, EVENTS, readyIn, type Start, type Waiter } from "./epoll-watch.ts";
import type { BunCalls } from "./ffi-bun.ts";
import type { Libc } from "./libc.ts";
import { EPOLLIN } from "./linux.ts";
import type { RuntimeEpoll } from "./runtime-epoll.ts";

/** Milliseconds for which it is kept: opening it means looking through the descriptors of the process. */
const LINGER = 500;
const BYTE = new Uint8Array(new ArrayBuffer(1));

let loop: RuntimeEpoll | undefined;

/** Begins. What cannot be done here is tried `otherwise`. */
export function startOnLoop(libc: Libc, c: BunCalls, otherwise: Start): Start {
  return (data, ready, ended) => {
    let alive = true;
    let waiter: Omit<Waiter, "linger" | "threaded"> | undefined;
    open(libc, c, data, ready, ended).catch(() => otherwise(data, ready, ended)).then((opened) => {
      waiter = opened;
      waiter.keepAlive(alive);
    });
    return {
      linger: LINGER,
      threaded: false,
      keepAlive(yes) {
        alive = yes;
        waiter?.keepAlive(yes);
      },
    };
  };
}

async function open(
  libc: Libc,
  c: BunCalls,
  { epoll, stop }: Parameters<Start>[0],
  ready: Parameters<Start>[1],
  ended: Parameters<Start>[2],
): Promise<Pick<Waiter, "keepAlive">> {
  const events = eventBuffer();
  const at = libc.address(new Uint8Array(events.buffer));
  const [heard, rung] = libc.socketpair();
  if (heard < 0) throw callFailure("no pair of sockets can be made", -heard);
  let registered = false;

  function end(): void {
    if (registered) loop!.remove({ fd: epoll });
    socket.terminate();
    libc.close(rung);
  }
  const socket = await Bun.connect<undefined>({
    fd: heard,
    socket: {
      data() {
        libc.write(rung, BYTE);
        const fds = readyIn(events, c.epoll_wait(epoll, at, EVENTS, 0));
        if (!fds.includes(stop)) return ready(fds);
        end();
        ended();
      },
    },
  } as never);
  try {
    // With it comes node:fs, for 5 ms: a worker of one session has no use for it.
    loop ??= new (await import("./runtime-epoll.ts")).RuntimeEpoll(libc);
    const found = await loop.find(heard);
    if (found === undefined) throw new Error("the event loop's epoll cannot be found");
    libc.write(rung, BYTE);
    loop.remove(found);
    loop.add({ ...found, fd: epoll, events: EPOLLIN });
    registered = true;
  } catch (error) {
    end();
    throw error;
  }
  return {
    keepAlive(yes) {
      if (yes) socket.ref();
      else socket.unref();
    },
  };
}
