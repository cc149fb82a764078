/**
 * Tells of connections that are reset while nobody reads them. One epoll(7) has all of them, without any
 * event: the kernel names errors and hang-ups unasked, and not what a peer has said, nor its end. That
 * epoll is waited for as any descriptor is; it is there while it has any.
 */
import type { Libc, ReadWatch } from "./libc.ts";
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_EVENT_DATA, EPOLL_EVENT_WORDS } from "./linux.ts";

/** Events that one look can bring. */
const EVENTS = 64;

const NOT_WATCHED = (): void => {};

export class Resets {
  readonly #libc: Libc;
  readonly #event = new Int32Array(new ArrayBuffer(EPOLL_EVENT_WORDS * 4));
  readonly #eventBytes = new Uint8Array(this.#event.buffer);
  readonly #ready = new Int32Array(new ArrayBuffer(EVENTS * EPOLL_EVENT_WORDS * 4));
  readonly #watched: Map<number, () => void> = new Map();
  #waiting: { readonly epoll: number; readonly watch: ReadWatch } | undefined = undefined;
  #scheduled = false;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** See {@link Descriptors.watchReset}. */
  watch(fd: number, reset: () => void): () => void {
    const waiting = this.#waiting ??= this.#start();
    if (waiting === undefined) return NOT_WATCHED;
    if (this.#control(waiting.epoll, EPOLL_CTL_ADD, fd) < 0) {
      this.#restIfEmpty();
      return NOT_WATCHED;
    }
    this.#watched.set(fd, reset);
    return () => {
      if (this.#watched.get(fd) === reset) this.#forget(fd);
    };
  }

  /** Undefined when descriptors have run out: then a reset is heard of later, by whoever reads. */
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

  #control(epoll: number, operation: number, fd: number): number {
    this.#event.fill(0);
    this.#event[EPOLL_EVENT_DATA] = fd;
    return this.#libc.epollControl(epoll, operation, fd, this.#eventBytes);
  }

  #forget(fd: number): void {
    this.#watched.delete(fd);
    this.#control(this.#waiting!.epoll, EPOLL_CTL_DEL, fd);
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
    const told: (() => void)[] = [];
    for (let i = 0; i < count; i++) {
      const fd = this.#ready[i * EPOLL_EVENT_WORDS + EPOLL_EVENT_DATA]!;
      const reset = this.#watched.get(fd);
      if (reset === undefined) continue;
      told.push(reset);
      this.#forget(fd);
    }
    if (this.#waiting === waiting) {
      if (count === EVENTS) this.#lookSoon();
      else waiting.watch.rearm();
    }
    for (const reset of told) reset();
  };
}
