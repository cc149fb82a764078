/**
 * Waiting for descriptors where a runtime's event loop cannot wait for foreign ones: all of them are in
 * one epoll(7), and a thread blocks in epoll_wait(2), or the event loop waits for that epoll (see
 * loop-bun.ts), and tells which have become readable. EPOLLONESHOT keeps it quiet about a descriptor
 * until this side has drained it and armed it again, which needs no message: epoll_ctl(2) is
 * thread-safe. A thread that waits for an epoll(7) keeps no socket of it open.
 *
 * The waiter starts with the first descriptor and ends after the last; it is the descriptors that
 * keep the process alive, not the waiter.
 */
import { callFailure } from "../errno.ts";
import type { Libc, ReadWatch } from "./libc.ts";
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
import type { Calls, EVENT_SIGNATURES } from "./syscalls.ts";

/** Events that one wait can bring. */
export const EVENTS = 64;

/** What a waiter waits with. */
export interface EpollData {
  readonly epoll: number;
  /** An eventfd(2) whose readability ends it. */
  readonly stop: number;
}

/** Who waits. */
export interface Waiter {
  /** Milliseconds for which it is kept without descriptors: starting one may cost more than keeping it. */
  readonly linger: number;
  /** See {@link ReadWatch.threaded}. */
  readonly threaded: boolean;
  /** Whether it keeps the process alive. */
  keepAlive(yes: boolean): void;
}

/**
 * Has somebody wait, from some time soon on.
 *
 * @param ready to be called with the descriptors that have become readable; one may have been closed since.
 * @param ended to be called when it waits no more.
 */
export type Start = (
  data: EpollData,
  ready: (fds: readonly number[]) => void,
  ended: () => void,
) => Waiter;

/** What is needed of libc. */
export interface EpollCalls {
  readonly calls: Pick<
    Calls<typeof EVENT_SIGNATURES>,
    "eventfd" | "eventfd_write" | "epoll_create1"
  >;
  readonly epollCtl: NonNullable<Libc["epollCtl"]>;
  readonly close: (fd: number) => number;
  readonly errno: () => number;
}

/** Where the numbers of ready descriptors are in what epoll_wait(2) has filled. */
export function readyIn(events: Int32Array, count: number): number[] {
  const ready: number[] = [];
  for (let i = 0; i < count; i++) ready.push(events[i * EPOLL_EVENT_WORDS + EPOLL_EVENT_DATA]!);
  return ready;
}

/** Memory for {@link EVENTS} of them. */
export function eventBuffer(): Int32Array<ArrayBuffer> {
  return new Int32Array(new ArrayBuffer(EVENTS * EPOLL_EVENT_WORDS * 4));
}

interface Waiting extends EpollData {
  readonly waiter: Waiter;
  readonly readers: Map<number, () => void>;
  ending: ReturnType<typeof setTimeout> | undefined;
}

/** Makes {@link Libc.watch}. What it makes throws a PorticoError when descriptors or watches have run out. */
export function watchWith(libc: EpollCalls, startWaiter: Start): Libc["watch"] {
  const { calls: c } = libc;
  const event = new Int32Array(new ArrayBuffer(EPOLL_EVENT_WORDS * 4));
  const eventBytes = new Uint8Array(event.buffer);
  let waiting: Waiting | undefined;

  function control(epoll: number, operation: number, fd: number, events: number): number {
    event[0] = events;
    event[EPOLL_EVENT_DATA] = fd;
    return libc.epollCtl(epoll, operation, fd, eventBytes);
  }

  /** @returns what a call has returned, unless it has failed. */
  function checked(value: number): number {
    if (value < 0) throw callFailure("a descriptor cannot be waited for", libc.errno());
    return value;
  }

  function start(): Waiting {
    const opened: number[] = [];
    const close = (): void => opened.forEach((fd) => libc.close(fd));
    try {
      const epoll = checked(c.epoll_create1(EPOLL_CLOEXEC));
      opened.push(epoll);
      const stop = checked(c.eventfd(0, EFD_CLOEXEC));
      opened.push(stop);
      checked(control(epoll, EPOLL_CTL_ADD, stop, EPOLLIN));
      const readers = new Map<number, () => void>();
      const ready = (fds: readonly number[]): void => {
        for (const fd of fds) readers.get(fd)?.();
      };
      const waiter = startWaiter({ epoll, stop }, ready, close);
      return { epoll, stop, readers, waiter, ending: undefined };
    } catch (error) {
      close();
      throw error;
    }
  }

  function end(ended: Waiting): void {
    if (waiting === ended) waiting = undefined;
    c.eventfd_write(ended.stop, 1n);
  }

  /** Nothing is waited for any more. */
  function rest(current: Waiting): void {
    const { waiter } = current;
    waiter.keepAlive(false);
    if (waiter.linger === 0) return end(current);
    current.ending = setTimeout(end, waiter.linger, current);
    current.ending.unref();
  }

  return (fd, readable): ReadWatch => {
    const current = waiting ??= start();
    const { epoll, readers, waiter } = current;
    if (control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT) < 0) {
      const errno = libc.errno();
      if (readers.size === 0) rest(current);
      throw callFailure(`descriptor ${fd} cannot be waited for`, errno);
    }
    clearTimeout(current.ending);
    if (readers.size === 0) waiter.keepAlive(true);
    readers.set(fd, readable);
    return {
      threaded: waiter.threaded,
      rearm: () => void control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT),
      suspend: () => void control(epoll, EPOLL_CTL_MOD, fd, EPOLLONESHOT),
      close() {
        control(epoll, EPOLL_CTL_DEL, fd, 0);
        readers.delete(fd);
        if (readers.size === 0) rest(current);
      },
    };
  };
}
