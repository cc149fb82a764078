/**
 * Keeps a process from running out of file descriptors. At EMFILE Node (libuv) closes new connections
 * without serving them, Bun spins, and `Deno.serve` stops listening. So accepting pauses a little
 * earlier, on all listeners. They keep their sockets: whoever connects waits in the kernel's queue, and
 * is accepted when there is room again.
 *
 * A new descriptor is always the lowest free number, so the number of an accepted socket tells how
 * many are in use. The HTTP servers of Bun and Deno do not show their sockets, nor does `Deno.listen`: for
 * them the lowest free number is looked up four times a second. What comes in between may take all that there
 * are, so some are held for everything else, and given up when accepting pauses.
 */
import { closeSync, openSync } from "node:fs";
import { clearInterval, clearTimeout, setInterval, setTimeout } from "node:timers";
import { PorticoError } from "../../runtime/core/errors.ts";
import { isExhausted } from "../errno.ts";
import { BackOff } from "./back-off.ts";
import type { Libc } from "./libc.ts";
import { ffiSupport, openLibc } from "./libc.ts";
import { openFilesLimit } from "./open-files.ts";

/** Descriptors that are left to everything else: files, timers, the next listener. */
const RESERVE = 16;
/** Descriptors that it takes to pause the listeners for which the reserve is. */
const LAST = 2;
/**
 * Up to it numbers are those of standard streams. Deno, when one was free (inetd's is its listener), gives it away
 * again and again, and closes none: there nothing can be held.
 */
const STANDARD = 2;
/** How many are held, at most, and of how many one. */
const HELD = { most: RESERVE, share: 16 } as const;
/** Milliseconds between two looks, where accepted sockets are not shown. */
const PERIOD = 250;

/** A listener that can stop accepting, and begin again. */
export interface PausableListener {
  /** It closes its descriptor to stop accepting, and needs another one to begin again. */
  readonly closesToPause: boolean;
  /** The reserve is for it, too: it pauses when there is none left but what that takes. */
  readonly reserved?: boolean;
  /** The descriptor of the listening socket. */
  readonly descriptor: number;
  /** Stops accepting. `kept` is another descriptor for the socket where it {@link closesToPause}, else -1. */
  pauseAccepting(kept: number): void;
  resumeAccepting(): void;
  /** It may take the last descriptor before anybody is told. So may those that show no connection. */
  readonly unseen?: boolean;
  /**
   * Finds what the others need; again, where it was not found. Only where the runtime shows no connection: those listeners never call
   * {@link DescriptorLimit.accepted}.
   */
  prepareToPause?(): void;
  failure(error: PorticoError): void;
}

export class DescriptorLimit {
  readonly #listeners: Set<PausableListener> = new Set();
  /** Those that do not accept at present. */
  readonly #paused: Set<PausableListener> = new Set();
  #limit: number = openFilesLimit();
  #libc: Libc | undefined = undefined;
  #loading: Promise<void> | undefined = undefined;
  #full = false;
  #holds = false;
  /** Descriptors of nothing. */
  readonly #held: number[] = [];
  readonly #backOff = new BackOff();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #watch: ReturnType<typeof setInterval> | undefined = undefined;

  add(listener: PausableListener): void {
    this.#listeners.add(listener);
    if (listener.prepareToPause !== undefined) {
      // At once: without descriptors nothing can be looked for any more.
      this.#prepareToPause(listener);
      void this.load();
      this.#watch ??= setInterval(() => this.accepted(lowestFree()), PERIOD).unref();
    } else if (listener.unseen !== true) return;
    this.#holds = true;
    if (!this.#full) this.#hold();
  }

  remove(listener: PausableListener): void {
    this.#listeners.delete(listener);
    this.#paused.delete(listener);
    if (this.#listeners.size > 0) return;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#holds = false;
    this.#release();
    this.#backOff.reset();
    this.#full = false;
  }

  /** Descriptors have run out for a listener, which has stopped by that: it goes on when there is room. */
  exhausted(listener: PausableListener): void {
    this.#pause(false);
    this.#paused.add(listener);
  }

  /** A connection has the descriptor `fd`. */
  accepted(fd: number): void {
    if (fd < this.#limit / 2) return;
    // What pausing needs is loaded in good time, while there are descriptors to load it with.
    void this.load();
    if (fd < this.#limit - RESERVE) return;
    this.#pause(fd >= this.#limit - LAST && this.#held.length === 0);
  }

  #prepareToPause(listener: PausableListener): void {
    try {
      listener.prepareToPause?.();
    } catch {
      // It is tried again when it has to pause.
    }
  }

  /** What pausing needs; it never rejects. */
  load(): Promise<void> {
    return this.#loading ??= this.#load();
  }

  async #load(): Promise<void> {
    if (ffiSupport() !== true) this.#limit = Infinity;
    else this.#libc = await openLibc().catch(() => undefined);
    // It may have been for want of descriptors.
    if (this.#libc === undefined) this.#loading = undefined;
  }

  /** @param all also those for which the reserve is. */
  #pause(all: boolean): void {
    if (this.#full && !all) return;
    this.#full = true;
    this.#release();
    const count = this.#limit === Infinity ? "all" : `${this.#limit - RESERVE} of ${this.#limit}`;
    const text = `${count} file descriptors are in use: accepting pauses`;
    const error = new PorticoError("EMFILE", text);
    let reports: boolean | undefined;
    for (const listener of this.#listeners) {
      if (this.#paused.has(listener) || (listener.reserved === true && !all)) continue;
      const kept = listener.closesToPause ? this.#keep(listener.descriptor) : -1;
      // What it takes to pause it is not there yet: it is asked again. The others pause at once, or a
      // rush would take the last descriptor before a worker has one for whom it is given.
      if (listener.closesToPause && kept < 0) {
        this.#full = false;
        continue;
      }
      this.#prepareToPause(listener);
      listener.pauseAccepting(kept);
      this.#paused.add(listener);
      reports ??= this.#backOff.reports();
      if (reports) listener.failure(error);
    }
    this.#wait();
  }

  /**
   * Another descriptor for the same socket; -1 when none is free. Not one of a file that the runtime has opened: Deno
   * would not take that for a listener.
   */
  #keep(fd: number): number {
    if (fd < 0 || this.#libc === undefined) return -1;
    return Math.max(-1, this.#libc.dup(fd));
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#hasRoom()) return this.#wait();
      this.#backOff.reset();
      this.#full = false;
      if (this.#holds) this.#hold();
      const paused = [...this.#paused];
      this.#paused.clear();
      for (const listener of paused) listener.resumeAccepting();
    }, this.#backOff.next());
  }

  /**
   * Tries, since one that is free may be a low one. A little more than the reserve has to be there, or
   * it would flap.
   */
  #hasRoom(): boolean {
    const opened: number[] = [];
    const enough = open(opened, 1.5 * RESERVE + (this.#holds ? this.#most() : 0));
    close(opened);
    return enough;
  }

  #most(): number {
    return Math.min(HELD.most, Math.floor(this.#limit / HELD.share));
  }

  #hold(): void {
    open(this.#held, this.#most());
  }

  #release(): void {
    close(this.#held);
  }
}

/** Adds descriptors of nothing until there are `count`. False when they have run out. */
function open(held: number[], count: number): boolean {
  try {
    while (held.length < count) {
      const fd = openSync("/dev/null", "r");
      if (fd <= STANDARD) return true;
      held.push(fd);
    }
    return true;
  } catch (error) {
    return !isExhausted(error as Error);
  }
}

function close(held: number[]): void {
  for (const fd of held.splice(0)) closeSync(fd);
}

/** The lowest descriptor that is free now; infinite when none is, 0 where that may not be known. */
export function lowestFree(): number {
  try {
    const free = openSync("/dev/null", "r");
    if (free > STANDARD) closeSync(free);
    return free;
  } catch (error) {
    return isExhausted(error as Error) ? Infinity : 0;
  }
}

/** That of this thread; Linux only. */
export const descriptorLimit: DescriptorLimit = new DescriptorLimit();
