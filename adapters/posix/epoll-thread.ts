/**
 * Waiting for descriptors on Bun: one thread for all of them blocks in epoll_wait(2) and posts the
 * numbers of those that have become readable. EPOLLONESHOT keeps it quiet about a descriptor until
 * this side has drained it and armed it again, which needs no message: epoll_ctl(2) is thread-safe.
 * The thread starts with the first descriptor and ends a moment after the last; it is the
 * descriptors that keep the process alive, not the thread.
 */
import { ptr } from "bun:ffi";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { BunCalls } from "./ffi-bun.ts";
import type { ReadWatch } from "./libc.ts";
import {
  EFD_CLOEXEC,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLL_EVENT_DATA,
  EPOLL_EVENT_WORDS,
  EPOLLIN,
  EPOLLONESHOT,
} from "./linux.ts";

const WORKER = fileURLToPath(new URL("./epoll-worker.ts", import.meta.url).href);

/** Milliseconds that the thread waits for another descriptor: starting one costs more than keeping it. */
const LINGER = 500;

/** What the thread is started with. */
export interface EpollData {
  readonly epoll: number;
  /** An eventfd(2) whose readability ends the thread. */
  readonly stop: number;
}

interface EpollThread extends EpollData {
  readonly worker: Worker;
  readonly readers: Map<number, () => void>;
  ending: NodeJS.Timeout | undefined;
}

/** Makes {@link Libc.watch} of the calls. */
export function watchWith(c: BunCalls): (fd: number, readable: () => void) => ReadWatch {
  const event = new Uint32Array(new ArrayBuffer(EPOLL_EVENT_WORDS * 4));
  const eventAt = ptr(event);
  let thread: EpollThread | undefined;

  function control(epoll: number, operation: number, fd: number, events: number): void {
    event[0] = events;
    event[EPOLL_EVENT_DATA] = fd;
    c.epoll_ctl(epoll, operation, fd, eventAt);
  }

  function start(): EpollThread {
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

  function end(ended: EpollThread): void {
    thread = undefined;
    c.eventfd_write(ended.stop, 1n);
  }

  return (fd, readable) => {
    const current = thread ??= start();
    const { epoll, readers, worker } = current;
    clearTimeout(current.ending);
    if (readers.size === 0) worker.ref();
    readers.set(fd, readable);
    control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT);
    return {
      threaded: true,
      rearm: () => control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT),
      suspend: () => control(epoll, EPOLL_CTL_MOD, fd, EPOLLONESHOT),
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
