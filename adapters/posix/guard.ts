/**
 * Keeps a process from running out of file descriptors. Node (libuv) answers EMFILE by closing the
 * newcomers unheard, Bun by spinning, `Deno.serve` by listening no more; here accepting stops a little
 * earlier, on all listeners. They keep their sockets, so newcomers wait in the kernel's queue, and go
 * on when there is room again. (Deno's own accept says EMFILE itself, and pauses by itself.)
 *
 * A new descriptor is always the lowest free number, so the number of an accepted socket tells how
 * many are in use. The servers for HTTP of Bun and Deno do not show theirs: for them a number is asked
 * for now and then.
 */
import { closeSync, openSync, readFileSync } from "node:fs";
import { clearInterval, clearTimeout, setInterval, setTimeout } from "node:timers";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { Libc } from "./libc.ts";
import { ffiSupport, openLibc } from "./libc.ts";
import { SOCK_CLOEXEC } from "./linux.ts";

/** Descriptors that are left to everything else: files, timers, the next listener. */
const RESERVE = 16;
/** Accepting pauses this long, in ms, and twice as long each further time there is no room. */
const PAUSE_FIRST = 10;
const PAUSE_LAST = 1000;
/** Milliseconds between two reports of a shortage that comes and goes. */
const SILENCE = 1000;
/** Milliseconds between two looks, where accepted sockets are not shown. */
const PERIOD = 250;

/** A listener that can stop accepting, and begin again. */
export interface Valve {
  /** Stops accepting; the socket stays open as the descriptor `kept`. */
  shut(kept: number): void;
  /** Accepts again. */
  open(): void;
  /** The descriptor of the listening socket; undefined when it stays open by itself, `kept` is -1 then. */
  readonly descriptor?: number;
  /** Loads what the others need. Where it is, connections are not told of by {@link Guard.accepted}. */
  ready?(): Promise<void>;
  failure(error: PorticoError): void;
}

export class Guard {
  readonly #valves: Set<Valve> = new Set();
  /** Those that are shut. */
  readonly #pausing: Set<Valve> = new Set();
  #limit: number = readLimit();
  #libc: Libc | "opening" | undefined = undefined;
  #shut = false;
  #silentUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #watch: ReturnType<typeof setInterval> | undefined = undefined;

  add(valve: Valve): void {
    this.#valves.add(valve);
    if (valve.ready === undefined) return;
    // At once: without descriptors nothing can be loaded any more.
    valve.ready().catch(() => {});
    if (this.#libc === undefined) void this.#prepare();
    this.#watch ??= setInterval(() => this.accepted(lowestFree()), PERIOD).unref();
  }

  remove(valve: Valve): void {
    this.#valves.delete(valve);
    this.#pausing.delete(valve);
    if (this.#valves.size > 0) return;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#shut = false;
  }

  /** Descriptors have run out for a listener, which is shut by that: it is opened when there is room. */
  exhausted(valve: Valve): void {
    this.#pause();
    this.#pausing.add(valve);
  }

  /** A connection has the descriptor `fd`. */
  accepted(fd: number): void {
    if (fd < this.#limit / 2) return;
    // What pausing needs is loaded in good time, while there are descriptors to load it with.
    if (this.#libc === undefined) void this.#prepare();
    else if (fd >= this.#limit - RESERVE && typeof this.#libc !== "string") this.#pause();
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
    if (this.#shut) return;
    this.#shut = true;
    const count = this.#limit === Infinity ? "all" : `${this.#limit - RESERVE} of ${this.#limit}`;
    const text = `${count} file descriptors are in use: accepting pauses`;
    const error = new PorticoError("EMFILE", text);
    const silent = performance.now() < this.#silentUntil;
    if (!silent) this.#silentUntil = performance.now() + SILENCE;
    for (const valve of this.#valves) {
      const kept = this.#keep(valve.descriptor);
      if (kept < 0 && valve.descriptor !== undefined) continue;
      valve.shut(kept);
      this.#pausing.add(valve);
      if (!silent) valve.failure(error);
    }
    this.#wait(PAUSE_FIRST);
  }

  /** Another descriptor for the same socket: dup3(2) onto one that was free a moment ago; -1 when none is. */
  #keep(fd: number | undefined): number {
    if (fd === undefined || typeof this.#libc !== "object") return -1;
    try {
      const free = openSync("/dev/null", "r");
      const made = this.#libc.duplicate(fd, free, SOCK_CLOEXEC);
      if (made < 0) closeSync(free);
      return made;
    } catch {
      return -1;
    }
  }

  #wait(pause: number): void {
    this.#timer = setTimeout(() => {
      if (!this.#hasRoom()) return this.#wait(Math.min(2 * pause, PAUSE_LAST));
      this.#shut = false;
      const pausing = [...this.#pausing];
      this.#pausing.clear();
      for (const valve of pausing) valve.open();
    }, pause);
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
function lowestFree(): number {
  try {
    const free = openSync("/dev/null", "r");
    closeSync(free);
    return free;
  } catch {
    return Infinity;
  }
}

/** The soft limit of open files, RLIMIT_NOFILE; infinite where it cannot be read: nothing is guarded then. */
function readLimit(): number {
  try {
    const found = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return found === null ? Infinity : Number(found[1]);
  } catch {
    return Infinity;
  }
}

/** The guard of this process; Linux only. */
export const guard: Guard = new Guard();
