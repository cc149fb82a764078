/**
 * Tells of what happens to connections that nobody reads: a reset, and of those whose first bytes somebody wants to
 * see, that more has come. One epoll(7) has all of them. The kernel names errors and hang-ups unasked, and nothing
 * else where no event is asked for: not what a peer has said, nor its end. That epoll is waited for as any descriptor
 * is; it is there while it has any.
 */
import type { Libc, ReadWatch } from "./libc.ts";
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_EVENT_DATA,
  EPOLL_EVENT_WORDS,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLRDHUP,
} from "./linux.ts";

/** Events that one look can bring. */
const EVENTS = 64;

/** The peer says no more: its end, or a reset. */
const ENDED = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

const NOT_WATCHED = (): void => {};

interface Watched {
  readonly told: (ended: boolean) => void;
  readonly once: boolean;
}

export class Readiness {
  readonly #libc: Libc;
  readonly #event = new Int32Array(new ArrayBuffer(EPOLL_EVENT_WORDS * 4));
  readonly #eventBytes = new Uint8Array(this.#event.buffer);
  readonly #ready = new Int32Array(new ArrayBuffer(EVENTS * EPOLL_EVENT_WORDS * 4));
  readonly #watched: Map<number, Watched> = new Map();
  #waiting: { readonly epoll: number; readonly watch: ReadWatch } | undefined = undefined;
  #scheduled = false;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** See {@link Descriptors.watchReset}. When descriptors have run out, it is heard of later, by whoever reads. */
  watchReset(fd: number, reset: () => void): () => void {
    return this.#watch(fd, 0, { told: reset, once: true }) ?? NOT_WATCHED;
  }

  /** See {@link Descriptors.watchArrivals}: told once for each arrival, whether or not anything was taken. */
  watchArrivals(fd: number, arrived: (ended: boolean) => void): (() => void) | undefined {
    return this.#watch(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, { told: arrived, once: false });
  }

  #watch(fd: number, events: number, watched: Watched): (() => void) | undefined {
    const waiting = this.#waiting ??= this.#start();
    if (waiting === undefined) return undefined;
    if (this.#control(waiting.epoll, EPOLL_CTL_ADD, fd, events) < 0) {
      this.#restIfEmpty();
      return undefined;
    }
    this.#watched.set(fd, watched);
    return () => {
      if (this.#watched.get(fd) === watched) this.#forget(fd);
    };
  }

  /** Undefined when descriptors have run out. */
  #start(): { epoll: number; watch: ReadWatch } | undefined {
    const epoll = this.#libc.epollCreate();
    if (epoll < 0) return undefined;
    try {
      return { epoll, watch: this.#libc.watch(epoll, this.#lookSoon) };
    } catch {
      this.#libc.close(epoll);
      return undefined;
    }
  }

  #control(epoll: number, operation: number, fd: number, events: number): number {
    this.#event.fill(0);
    this.#event[0] = events;
    this.#event[EPOLL_EVENT_DATA] = fd;
    return this.#libc.epollControl(epoll, operation, fd, this.#eventBytes);
  }

  #forget(fd: number): void {
    this.#watched.delete(fd);
    this.#control(this.#waiting!.epoll, EPOLL_CTL_DEL, fd, 0);
    this.#restIfEmpty();
  }

  #restIfEmpty(): void {
    const waiting = this.#waiting;
    if (waiting === undefined || this.#watched.size > 0) return;
    this.#waiting = undefined;
    waiting.watch.close();
    this.#libc.close(waiting.epoll);
  }

  /** Whoever is told may throw, which nobody may in a callback of an FFI. */
  readonly #lookSoon = (): void => {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#look);
  };

  readonly #look = (): void => {
    this.#scheduled = false;
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const count = this.#libc.epollReady(waiting.epoll, this.#ready);
    const found: [fd: number, watched: Watched, ended: boolean][] = [];
    for (let i = 0; i < count; i++) {
      const fd = this.#ready[i * EPOLL_EVENT_WORDS + EPOLL_EVENT_DATA]!;
      const watched = this.#watched.get(fd);
      if (watched === undefined) continue;
      found.push([fd, watched, (this.#ready[i * EPOLL_EVENT_WORDS]! & ENDED) !== 0]);
      if (watched.once) this.#forget(fd);
    }
    if (this.#waiting === waiting) {
      if (count === EVENTS) this.#lookSoon();
      else waiting.watch.rearm();
    }
    for (const [fd, watched, ended] of found) {
      // What one is told may end the watch of another, whose number may be somebody else's by then.
      if (watched.once || this.#watched.get(fd) === watched) watched.told(ended);
    }
  };
}
