import { spawnSync } from "node:child_process";
import { write, writeSync } from "node:fs";
import process from "node:process";
import { setImmediate, setTimeout } from "node:timers";
import { TextBuffer } from "./text-buffer.ts";

/** Text held back above this many bytes is refused, newest first: a reader that stopped costs no more memory. */
const HELD_MAX = 16 * 1024 * 1024;
/** The same while writes fail, as on a disk that is full. */
const HELD_FAILING = 1024 * 1024;
/** Text is not held back for the sake of its neighbours when there are so many bytes of it. */
const ENOUGH = 64 * 1024;
/** Before a descriptor that takes nothing now (EAGAIN) is tried again, in milliseconds; and after a failure. */
const RETRY = 5;
const RETRY_FAILED = 500;
/** How long a descriptor that takes nothing may hold up a close, in milliseconds. */
const CLOSE = 1500;
/** How long the write that is under way has at the end of the process, in milliseconds. */
const LAST_WRITE = 20;
/** And how long the lines have that are left then. */
const LAST_LINES = 500;
/** Failures after which no attempt can succeed: the reader has gone, there is no such descriptor. */
const GONE: readonly (string | undefined)[] = ["EPIPE", "EBADF", "ECONNRESET"];

const NOTHING = new Uint8Array();

/** Where a writer's lines go. */
export interface Destination {
  /** What write(2) is called with; it may be another one after `admit`. */
  readonly descriptor: number;
  /**
   * For how many milliseconds a line that is not urgent may wait for others, which then leave with it in
   * one write(2); a round of the event loop when silent.
   */
  readonly patience?: number;
  /**
   * Asked before each write, while none is under way: what is to be written now of `bytes`, which begin
   * and end with a line, or in their place; and how many of them are done with by that, at least one
   * line. What it throws counts as a failed write.
   */
  admit?(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly taken: number };
  /**
   * Of the last `left` bytes that were admitted, how many a write that has failed has written all the
   * same. Deno's write goes on until it fails, and does not say where that was.
   */
  taken?(left: number): number;
  /** Writes have begun to fail; they are tried again until they succeed. Told once for each such time. */
  troubled?(reason: string): void;
}

/**
 * Appends lines to a descriptor: what one turn of the event loop gives it is one write(2), which
 * runs beside the event loop, so that a slow disk or a stopped reader delays no session. One write
 * is under way at a time, so the order stays; a write that was cut short is completed before the
 * next one begins, however long that takes, so no line is torn.
 */
export class Writer {
  readonly #destination: Destination;
  /** Text of this turn; and the buffer that takes turns with it: one is filled while the other is written. */
  #held: TextBuffer = new TextBuffer();
  #other: TextBuffer = new TextBuffer();
  /** The text has to leave as soon as it can; else it may wait for more. */
  #pressing = false;
  /** A write will begin with this round of the event loop. */
  #scheduled = false;
  #waits: ReturnType<typeof setTimeout> | undefined = undefined;
  /** A write is under way, or will be tried again. */
  #busy = false;
  /** A write is under way, in a thread of the runtime's. */
  #flying = false;
  /** To be written next, and not admitted yet. */
  #bytes: Uint8Array = NOTHING;
  /** Admitted, and not taken by the kernel yet. */
  #out: Uint8Array = NOTHING;
  /** Why writes fail. */
  #failure: string | undefined = undefined;
  #refused = false;
  #abandoned = 0;
  /** The next attempt, after one that has failed. */
  #retrial: ReturnType<typeof setTimeout> | undefined = undefined;
  #waiting: (() => void)[] = [];
  readonly #relieved: (() => void)[] = [];
  #closing = false;
  #deadline = Infinity;
  #over = false;

  constructor(destination: Destination) {
    this.#destination = destination;
    // What the last turn said still gets out, unless the reader has stopped already.
    process.once("exit", this.#atExit);
  }

  /** Takes one or more lines, each with its LF; false when they are dropped. Never blocks. */
  push(text: string, urgent = true): boolean {
    const room = this.room();
    if (room === undefined) return false;
    room.text(text);
    this.wrote(urgent);
    return true;
  }

  /**
   * As {@link push}, for lines that are put together in the buffer itself: in this turn, and with a call
   * of {@link wrote} behind it. Undefined when they are dropped.
   */
  room(): TextBuffer | undefined {
    const most = this.#failure === undefined ? HELD_MAX : HELD_FAILING;
    if (!this.#over && this.#held.length <= most) return this.#held;
    this.#refused = true;
    return undefined;
  }

  wrote(urgent: boolean): void {
    this.#pressing ||= urgent || this.#held.length > ENOUGH ||
      this.#destination.patience === undefined;
    if (!this.#scheduled && !this.#busy) this.#schedule();
  }

  #schedule(): void {
    if (this.#pressing) {
      this.#scheduled = true;
      setImmediate(this.#begin);
    } else if (this.#waits === undefined) {
      this.#waits = setTimeout(this.#begin, this.#destination.patience);
      // What is held when the process ends is written then.
      this.#waits.unref();
    }
  }

  /** Why lines are refused now. */
  get reason(): string {
    return this.#failure ?? "the reader of the log is too slow";
  }

  /** How many lines were taken, and could not be written before the end. */
  get abandoned(): number {
    return this.#abandoned;
  }

  /** Calls back when lines were refused, and all that was taken has been written. */
  onRelief(callback: () => void): void {
    this.#relieved.push(callback);
  }

  /** Resolves when all that was pushed has been written, or could not be; where writes fail they are tried once more. */
  flush(): Promise<void> {
    if (this.#over || this.#empty) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#pressing = true;
    if (!this.#busy) this.#begin();
    if (this.#retrial !== undefined) {
      clearTimeout(this.#retrial);
      this.#again();
    }
    return promise;
  }

  /** As {@link flush}. Nothing is taken afterwards. The descriptor stays open. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#deadline = performance.now() + CLOSE;
    await this.flush();
    this.#end();
  }

  get #empty(): boolean {
    return this.#held.length === 0 && this.#bytes.length === 0 && this.#out.length === 0;
  }

  readonly #begin = (): void => {
    this.#scheduled = false;
    clearTimeout(this.#waits);
    this.#waits = undefined;
    this.#pressing = true;
    if (!this.#busy) this.#next();
  };

  readonly #next = (): void => {
    if (this.#over) return;
    try {
      while (this.#out.length === 0) {
        if (this.#bytes.length === 0) {
          // A write costs as much as many lines: those that came during the last one wait for others, too.
          if (this.#held.length === 0 || !this.#pressing) return this.#done();
          const full = this.#held;
          this.#held = this.#other;
          this.#held.clear();
          this.#other = full;
          this.#bytes = full.bytes;
          this.#pressing = false;
        }
        const { bytes, taken } = this.#destination.admit?.(this.#bytes) ??
          { bytes: this.#bytes, taken: this.#bytes.length };
        this.#out = bytes;
        this.#bytes = this.#bytes.subarray(taken);
      }
    } catch (error) {
      return this.#fail(error as Error);
    }
    this.#busy = this.#flying = true;
    write(this.#destination.descriptor, this.#out, 0, this.#out.length, null, this.#written);
  };

  readonly #written = (error: NodeJS.ErrnoException | null, count: number): void => {
    this.#flying = false;
    if (error !== null && error !== undefined) {
      this.#out = this.#out.subarray(this.#destination.taken?.(this.#out.length) ?? 0);
      const late = performance.now() > this.#deadline;
      if (error.code === "EAGAIN" && !late) setTimeout(this.#next, RETRY);
      else if (GONE.includes(error.code)) this.#end();
      else this.#fail(error);
      return;
    }
    this.#failure = undefined;
    this.#out = this.#out.subarray(count);
    this.#next();
  };

  #done(): void {
    this.#busy = false;
    this.#settle();
    if (this.#held.length > 0) this.#schedule();
    if (!this.#refused) return;
    this.#refused = false;
    for (const relieved of this.#relieved) relieved();
  }

  #fail(error: Error): void {
    if (this.#closing) return this.#end();
    this.#busy = true;
    const before = this.#failure;
    this.#failure = reasonOf(error);
    if (before === undefined) this.#destination.troubled?.(this.#failure);
    this.#retrial = setTimeout(this.#again, RETRY_FAILED);
    this.#retrial.unref();
    this.#settle();
  }

  readonly #again = (): void => {
    this.#retrial = undefined;
    this.#next();
  };

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#waits);
    this.#abandoned = lines(this.#out) + lines(this.#bytes) + lines(this.#held.bytes);
    this.#held.clear();
    this.#bytes = this.#out = NOTHING;
    process.removeListener("exit", this.#atExit);
    this.#settle();
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  readonly #atExit = (): void => {
    // Where a write will be tried again, a line may be half written.
    if (this.#over || this.#busy !== this.#flying) return;
    const { descriptor } = this.#destination;
    const left = this.#held.length > 0;
    try {
      // The thread that writes would end with the process.
      if (this.#flying) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WRITE);
      if (!left) return;
      if (this.#flying) writeBeside(descriptor, this.#held.bytes);
      else writeSync(descriptor, this.#held.bytes);
    } catch {
      // The process ends; there is nobody left to tell.
    }
  };
}

/** Writes without being held up: whoever reads may have stopped for good, which only another process can wait for. */
function writeBeside(descriptor: number, bytes: Uint8Array): void {
  const stdio = ["pipe", descriptor, "ignore"] as const;
  spawnSync("cat", [], { input: bytes, stdio: [...stdio], timeout: LAST_LINES });
}

/** With the errno, which Deno keeps out of the message. */
function reasonOf(error: NodeJS.ErrnoException): string {
  const { code, message } = error;
  return code === undefined || message.startsWith(code) ? message : `${code}: ${message}`;
}

function lines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
