/**
 * What a connection reads into, where the adapter has the choice: the same buffer over and over
 * again, as long as nobody needs what is in it. A quiet connection waits with a small one, a busy one
 * with a large one.
 */

/** In bytes. */
export const SMALL = 1024;
export const LARGE = 64 * 1024;

/** After this many reads in a row that half a small buffer would have held, it is one again. */
const QUIET = 8;

/** Buffers of one size that are kept; more are left to the collector. */
const KEPT = 64;

/** Buffers for reuse. Who takes one owns it, until it is given back or forgotten. */
export class BufferPool<Bytes extends Uint8Array> {
  readonly #make: (size: number) => Bytes;
  readonly #small: Bytes[] = [];
  readonly #large: Bytes[] = [];

  /** @param make what is in it does not matter; its `ArrayBuffer` is its own. */
  constructor(make: (size: number) => Bytes) {
    this.#make = make;
  }

  take(size: number): Bytes {
    return (size === SMALL ? this.#small : this.#large).pop() ?? this.#make(size);
  }

  give(buffer: Bytes): void {
    const kept = buffer.length === SMALL ? this.#small : this.#large;
    if (kept.length < KEPT) kept.push(buffer);
  }
}

/** The buffer of one connection. */
export class ReadBuffer<Bytes extends Uint8Array> {
  readonly #pool: BufferPool<Bytes>;
  /** What the next read fills. */
  current: Bytes;
  /** A former one, until what it holds has been written. */
  #out: Bytes | undefined = undefined;
  #quiet = 0;

  constructor(pool: BufferPool<Bytes>, size: number) {
    this.#pool = pool;
    this.current = pool.take(size);
  }

  /**
   * Chooses what the next read fills.
   *
   * @param length of what was read, in bytes.
   * @param kept somebody goes on using it: the buffer is not ours any more.
   * @param writing it is being sent, by the connection that has read it: see {@link reclaim}.
   */
  advance(length: number, kept: boolean, writing: boolean): void {
    const read = this.current;
    let size = read.length;
    if (length > SMALL / 2) {
      this.#quiet = 0;
      if (length === SMALL) size = LARGE;
    } else if (size === LARGE && ++this.#quiet >= QUIET) size = SMALL;
    if (kept) this.current = this.#pool.take(size);
    else if (writing) {
      // One buffer at a time waits to be reclaimed; the collector takes what comes between.
      this.#out ??= read;
      this.current = this.#pool.take(size);
    } else if (size !== read.length) {
      this.#pool.give(read);
      this.current = this.#pool.take(size);
    }
  }

  /** All that the connection had to send has gone out. */
  reclaim(): void {
    const out = this.#out;
    if (out === undefined) return;
    this.#out = undefined;
    this.#pool.give(out);
  }

  /** Nothing is read into it any more. */
  release(): void {
    this.#pool.give(this.current);
  }
}
