/** Writes in the caller's turn: what was said before a crash has left by then. */
import { setTimeout } from "node:timers";
import type { Passing } from "../core/descriptors.ts";

/** Milliseconds after which a reader that was slow is tried again. */
const PAUSE = 1;

export class ImmediateWriter {
  readonly #descriptors: Passing;
  readonly #fd: number;
  #queue: Uint8Array[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  /** @param fd a stream socket; the caller's. */
  constructor(descriptors: Passing, fd: number) {
    this.#descriptors = descriptors;
    this.#fd = fd;
  }

  /** @param bytes are kept until there is room for them. */
  write(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    if (this.#queue.length === 1) this.#push();
  }

  /** Blocks the thread until all has left; for up to `limit` ms. */
  finish(limit: number): void {
    const end = performance.now() + limit;
    const word = new Int32Array(new SharedArrayBuffer(4));
    while (!this.#push() && performance.now() < end) Atomics.wait(word, 0, 0, PAUSE);
  }

  /** What has not left is not sent any more. */
  stop(): void {
    this.#queue = [];
    clearTimeout(this.#timer);
  }

  /** Whether nothing is left. */
  #push(): boolean {
    clearTimeout(this.#timer);
    try {
      for (let bytes = this.#queue[0]; bytes !== undefined; bytes = this.#queue[0]) {
        const sent = this.#descriptors.send(this.#fd, bytes);
        if (sent === bytes.length) this.#queue.shift();
        else if (sent > 0) this.#queue[0] = bytes.subarray(sent);
        else {
          this.#timer = setTimeout(() => this.#push(), PAUSE);
          return false;
        }
      }
    } catch {
      // Nobody reads any more: the connection says so, too.
      this.#queue = [];
    }
    return true;
  }
}
