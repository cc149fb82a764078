/**
 * Waiting for descriptors on Bun: one thread for all of them blocks in epoll_wait(2) and posts the
 * numbers of those that have become readable. EPOLLONESHOT keeps it quiet about a descriptor until
 * this side has drained it and armed it again, which needs no message: epoll_ctl(2) is thread-safe.
 * The thread starts with the first descriptor and ends a moment after the last; it is the
 * descriptors that keep the process alive, not the thread.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { ptr } from "bun:ffi";
import type { Symbols } from "./ffi-bun.ts";
import type { Watch } from "./libc.ts";

const WORKER = fileURLToPath(new URL("./epoll-worker.ts", import.meta.url).href);

export const EPOLLIN = 1;
const EPOLLONESHOT = 0x4000_0000;
const EPOLL_CLOEXEC = 0o2000000;
const EFD_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
/** struct epoll_event is packed to 12 bytes on x86-64; elsewhere its data is aligned to 8. */
export const EVENT_WORDS: number = process.arch === "x64" ? 3 : 4;
/** Where the data begins in it, in words. */
export const EVENT_DATA: number = EVENT_WORDS - 2;

/** Milliseconds that the thread waits for another descriptor: starting one costs more than keeping it. */
const LINGER = 500;

/** What the thread is started with. */
export interface EpollData {
  readonly epoll: number;
  /** An eventfd(2) whose readability ends the thread. */
  readonly stop: number;
}

interface Poller extends EpollData {
  readonly worker: Worker;
  readonly readers: Map<number, () => void>;
  ending: NodeJS.Timeout | undefined;
}

/** Makes {@link Libc.watch} of the symbols. */
export function watchWith(c: Symbols): (fd: number, readable: () => void) => Watch {
  const event = new Uint32Array(new ArrayBuffer(EVENT_WORDS * 4));
  const eventAt = ptr(event);
  let poller: Poller | undefined;

  function control(epoll: number, operation: number, fd: number, events: number): void {
    event[0] = events;
    event[EVENT_DATA] = fd;
    c.epoll_ctl(epoll, operation, fd, eventAt);
  }

  function start(): Poller {
    const data: EpollData = {
      epoll: c.epoll_create1(EPOLL_CLOEXEC),
      stop: c.eventfd(0, EFD_CLOEXEC),
    };
    control(data.epoll, EPOLL_CTL_ADD, data.stop, EPOLLIN);
    const worker = new Worker(WORKER, { workerData: data });
    const readers = new Map<number, () => void>();
    worker.on("message", (ready: number | readonly number[]) => {
      // A descriptor may have been closed while its message was on the way.
      if (typeof ready === "number") readers.get(ready)?.();
      else for (const fd of ready) readers.get(fd)?.();
    });
    worker.once("exit", () => {
      c.close(data.epoll);
      c.close(data.stop);
    });
    return { ...data, worker, readers, ending: undefined };
  }

  function end(ended: Poller): void {
    poller = undefined;
    c.eventfd_write(ended.stop, 1n);
  }

  return (fd, readable) => {
    const current = poller ??= start();
    const { epoll, readers, worker } = current;
    clearTimeout(current.ending);
    if (readers.size === 0) worker.ref();
    readers.set(fd, readable);
    control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT);
    return {
      threaded: true,
      rearm: () => control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT),
      hold: () => control(epoll, EPOLL_CTL_MOD, fd, EPOLLONESHOT),
      close() {
        control(epoll, EPOLL_CTL_DEL, fd, 0);
        readers.delete(fd);
        if (readers.size > 0) return undefined;
        worker.unref();
        current.ending = setTimeout(end, LINGER, current);
        current.ending.unref();
        return undefined;
      },
    };
  };
}
