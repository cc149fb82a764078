import { write, writeSync } from "node:fs";
import process from "node:process";
import { setImmediate, setTimeout } from "node:timers";

/** Text held back above this many characters is dropped, newest first: a reader that stopped costs no more memory. */
const HELD_MAX = 16 * 1024 * 1024;
/** Before a descriptor that takes nothing now (EAGAIN) is tried again, in milliseconds. */
const RETRY = 5;

/**
 * Appends text to a descriptor: what one turn of the event loop gives it is one write(2), which
 * runs beside the event loop, so that a slow disk or a stopped reader delays no session. One write
 * is under way at a time, so the order stays.
 */
export class Writer {
  #descriptor: number;
  readonly #failed: (error: Error) => void;
  /** Text of this turn. */
  #held = "";
  #scheduled = false;
  /** What the kernel has not taken of the write under way. */
  #rest: Uint8Array | undefined;
  #waiting: (() => void)[] = [];
  #over = false;

  /** @param failed is told of the first error; nothing is written after it. */
  constructor(descriptor: number, failed: (error: Error) => void) {
    this.#descriptor = descriptor;
    this.#failed = failed;
    // What the last turn said still gets out, unless the reader has stopped already.
    process.once("exit", this.#atExit);
  }

  /** Takes a text; false when it is dropped. Never blocks. */
  push(text: string): boolean {
    if (this.#over || this.#held.length > HELD_MAX) return false;
    this.#held += text;
    if (!this.#scheduled && this.#rest === undefined) {
      this.#scheduled = true;
      setImmediate(this.#begin);
    }
    return true;
  }

  /** Resolves when all that was pushed has been written, or has failed. */
  flush(): Promise<void> {
    if (this.#idle()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Flushes; nothing is taken afterwards. The descriptor stays open. */
  async close(): Promise<void> {
    await this.flush();
    this.#over = true;
    process.removeListener("exit", this.#atExit);
  }

  #idle(): boolean {
    return this.#over || (this.#held === "" && this.#rest === undefined);
  }

  readonly #begin = (): void => {
    this.#scheduled = false;
    if (this.#over || this.#held === "") return;
    this.#rest = new TextEncoder().encode(this.#held);
    this.#held = "";
    this.#write();
  };

  readonly #write = (): void => {
    write(this.#descriptor, this.#rest!, 0, this.#rest!.length, null, this.#written);
  };

  readonly #written = (error: NodeJS.ErrnoException | null, count: number): void => {
    if (error !== null && error !== undefined) {
      if (error.code === "EAGAIN") setTimeout(this.#write, RETRY);
      else this.#fail(error);
      return;
    }
    if (count < this.#rest!.length) {
      this.#rest = this.#rest!.subarray(count);
      this.#write();
      return;
    }
    this.#rest = undefined;
    if (this.#held !== "") this.#begin();
    else this.#settle();
  };

  #fail(error: Error): void {
    this.#over = true;
    this.#held = "";
    this.#rest = undefined;
    process.removeListener("exit", this.#atExit);
    this.#failed(error);
    this.#settle();
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  readonly #atExit = (): void => {
    if (this.#over || this.#rest !== undefined || this.#held === "") return;
    try {
      writeSync(this.#descriptor, this.#held);
    } catch {
      // The process ends; there is nobody left to tell.
    }
  };
}
