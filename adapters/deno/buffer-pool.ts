/** What a quiet connection waits with, and what a busy one reads into, in bytes. */
export const SMALL = 1024;
export const LARGE = 64 * 1024;

/** Buffers of one size that are kept; more are left to the collector. */
const KEPT = 64;

/** Read buffers for reuse. Who takes one owns it, until it is given back or forgotten. */
export class BufferPool {
  readonly #small: Uint8Array<ArrayBuffer>[] = [];
  readonly #large: Uint8Array<ArrayBuffer>[] = [];

  take(size: number): Uint8Array<ArrayBuffer> {
    return (size === SMALL ? this.#small : this.#large).pop() ?? new Uint8Array(size);
  }

  give(buffer: Uint8Array<ArrayBuffer>): void {
    const kept = buffer.length === SMALL ? this.#small : this.#large;
    if (kept.length < KEPT) kept.push(buffer);
  }
}
