/**
 * Keeps a process from running out of file descriptors. Node (libuv) answers EMFILE by closing the
 * newcomers unheard, Bun by spinning; here accepting stops a little earlier, on all listeners. They
 * keep their sockets, under another number, so newcomers wait in the kernel's queue, and go on when
 * there is room again. (Deno's accept says EMFILE itself, and pauses by itself.)
 *
 * A new descriptor is always the lowest free number, so the number of an accepted socket tells how
 * many are in use.
 */
import { closeSync, openSync, readFileSync } from "node:fs";
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

/** A listener that can let go of its socket and take it back. */
export interface Valve {
  /** Stops accepting; the socket stays open as the descriptor `kept`. */
  shut(kept: number): void;
  /** Accepts again. */
  open(): void;
  /** The descriptor of the listening socket. */
  readonly descriptor: number;
  failure(error: PorticoError): void;
}

export class Guard {
  readonly #valves: Set<Valve> = new Set();
  #limit: number = readLimit();
  #libc: Libc | "opening" | undefined = undefined;
  #shut = false;
  #silentUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  add(valve: Valve): void {
    this.#valves.add(valve);
  }

  remove(valve: Valve): void {
    this.#valves.delete(valve);
    if (this.#valves.size > 0) return;
    clearTimeout(this.#timer);
    this.#shut = false;
  }

  /** A connection has the descriptor `fd`. */
  accepted(fd: number): void {
    if (fd < this.#limit / 2) return;
    // What pausing needs is loaded in good time, while there are descriptors to load it with.
    if (this.#libc === undefined) void this.#prepare();
    else if (fd >= this.#limit - RESERVE && typeof this.#libc !== "string") {
      this.#pause(this.#libc);
    }
  }

  async #prepare(): Promise<void> {
    if (ffiSupport() !== true) {
      this.#limit = Infinity;
      return;
    }
    this.#libc = "opening";
    this.#libc = await openLibc();
  }

  #pause(libc: Libc): void {
    if (this.#shut) return;
    this.#shut = true;
    const error = new PorticoError(
      "EMFILE",
      `${this.#limit - RESERVE} of ${this.#limit} file descriptors are in use: accepting pauses`,
    );
    const silent = performance.now() < this.#silentUntil;
    if (!silent) this.#silentUntil = performance.now() + SILENCE;
    for (const valve of this.#valves) {
      const kept = duplicate(libc, valve.descriptor);
      if (kept < 0) continue;
      valve.shut(kept);
      if (!silent) valve.failure(error);
    }
    this.#wait(PAUSE_FIRST);
  }

  #wait(pause: number): void {
    this.#timer = setTimeout(() => {
      if (!this.#hasRoom()) return this.#wait(Math.min(2 * pause, PAUSE_LAST));
      this.#shut = false;
      for (const valve of this.#valves) valve.open();
    }, pause);
  }

  /** Asks with a descriptor that is free now. A little more than the reserve, or it would flap. */
  #hasRoom(): boolean {
    try {
      const free = openSync("/dev/null", "r");
      closeSync(free);
      return free < this.#limit - 1.5 * RESERVE;
    } catch {
      return false;
    }
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

/** Another descriptor for the same socket: dup3(2) onto one that was free a moment ago. */
function duplicate(libc: Libc, fd: number): number {
  const free = openSync("/dev/null", "r");
  const made = libc.duplicate(fd, free, SOCK_CLOEXEC);
  if (made < 0) closeSync(free);
  return made;
}

/** The guard of this process; Linux only. */
export const guard: Guard = new Guard();
