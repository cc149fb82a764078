/**
 * Keeps a process from running out of file descriptors. At EMFILE Node (libuv) closes new connections
 * without serving them, Bun spins, and `Deno.serve` stops listening. So accepting pauses a little
 * earlier, on all listeners. They keep their sockets: whoever connects waits in the kernel's queue, and
 * is accepted when there is room again. (`Deno.listen` reports EMFILE: its accept loop pauses by itself.)
 *
 * A new descriptor is always the lowest free number, so the number of an accepted socket tells how
 * many are in use. The HTTP servers of Bun and Deno do not show their sockets: for them the lowest free
 * number is looked up four times a second.
 */
import { closeSync, openSync } from "node:fs";
import { clearInterval, clearTimeout, setInterval, setTimeout } from "node:timers";
import { PorticoError } from "../../runtime/core/errors.ts";
import { BackOff } from "./back-off.ts";
import type { Libc } from "./libc.ts";
import { ffiSupport, openLibc } from "./libc.ts";
import { openFilesLimit } from "./open-files.ts";

/** Descriptors that are left to everything else: files, timers, the next listener. */
const RESERVE = 16;
/** Milliseconds between two looks, where accepted sockets are not shown. */
const PERIOD = 250;

/** A listener that can stop accepting, and begin again. */
export interface PausableListener {
  /** It closes its descriptor to stop accepting, and needs another one to begin again. */
  readonly closesToPause: boolean;
  /** The descriptor of the listening socket. */
  readonly descriptor: number;
  /** Stops accepting. `kept` is another descriptor for the socket where it {@link closesToPause}, else -1. */
  pauseAccepting(kept: number): void;
  resumeAccepting(): void;
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
  #libc: Libc | "opening" | undefined = undefined;
  #full = false;
  /** For each listener that is to be duplicated when no descriptor may be left, one that is given up for that. */
  readonly #spares: number[] = [];
  readonly #backOff = new BackOff();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #watch: ReturnType<typeof setInterval> | undefined = undefined;

  add(listener: PausableListener): void {
    this.#listeners.add(listener);
    if (listener.prepareToPause === undefined) return;
    // At once: without descriptors nothing can be looked for any more.
    this.#prepareToPause(listener);
    if (this.#libc === undefined) void this.#prepare();
    this.#spare();
    this.#watch ??= setInterval(() => this.accepted(lowestFree()), PERIOD).unref();
  }

  remove(listener: PausableListener): void {
    this.#listeners.delete(listener);
    this.#paused.delete(listener);
    this.#spare();
    if (this.#listeners.size > 0) return;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#backOff.reset();
    this.#full = false;
  }

  /** Descriptors have run out for a listener, which has stopped by that: it goes on when there is room. */
  exhausted(listener: PausableListener): void {
    this.#pause();
    this.#paused.add(listener);
  }

  /** A connection has the descriptor `fd`. */
  accepted(fd: number): void {
    if (fd < this.#limit / 2) return;
    // What pausing needs is loaded in good time, while there are descriptors to load it with.
    if (this.#libc === undefined) void this.#prepare();
    if (fd >= this.#limit - RESERVE) this.#pause();
  }

  #prepareToPause(listener: PausableListener): void {
    try {
      listener.prepareToPause?.();
    } catch {
      // It is tried again when it has to pause.
    }
  }

  async #prepare(): Promise<void> {
    if (ffiSupport() !== true) {
      this.#limit = Infinity;
      return;
    }
    this.#libc = "opening";
    this.#libc = await openLibc().catch(() => undefined);
  }

  #pause(): void {
    if (this.#full) return;
    this.#full = true;
    const count = this.#limit === Infinity ? "all" : `${this.#limit - RESERVE} of ${this.#limit}`;
    const text = `${count} file descriptors are in use: accepting pauses`;
    const error = new PorticoError("EMFILE", text);
    let reports: boolean | undefined;
    for (const listener of this.#listeners) {
      if (this.#paused.has(listener)) continue;
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
    if (fd < 0 || typeof this.#libc !== "object") return -1;
    const kept = this.#libc.dup(fd);
    const spare = kept < 0 ? this.#spares.pop() : undefined;
    if (spare === undefined) return Math.max(-1, kept);
    closeSync(spare);
    return Math.max(-1, this.#libc.dup(fd));
  }

  /** Has as many spare ones as there are listeners that show no connection, and so may learn too late that it is time. */
  #spare(): void {
    let count = 0;
    for (const { closesToPause, prepareToPause } of this.#listeners) {
      if (closesToPause && prepareToPause !== undefined) count++;
    }
    try {
      while (this.#spares.length < count) this.#spares.push(openSync("/dev/null", "r"));
    } catch {
      // They come when there is room.
    }
    while (this.#spares.length > count) closeSync(this.#spares.pop()!);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#hasRoom()) return this.#wait();
      this.#backOff.reset();
      this.#full = false;
      this.#spare();
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
    try {
      while (opened.length < 1.5 * RESERVE) opened.push(openSync("/dev/null", "r"));
      return true;
    } catch {
      return false;
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }
}

/** The lowest descriptor that is free now; infinite when none is. */
export function lowestFree(): number {
  try {
    const free = openSync("/dev/null", "r");
    closeSync(free);
    return free;
  } catch {
    return Infinity;
  }
}

/** That of this thread; Linux only. */
export const descriptorLimit: DescriptorLimit = new DescriptorLimit();
