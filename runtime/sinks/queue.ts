/** How much may wait, and which of all gives way when it is more. */
export interface Bounds {
  readonly records: number;
  readonly bytes: number;
  readonly overflow: "oldest" | "newest";
}

/** Records as bytes, in the order in which they were made, within bounds. */
export class Queue {
  readonly #bounds: Bounds;
  #frames: Uint8Array[] = [];
  /** Those before it are gone. */
  #head = 0;
  #bytes = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#frames.length - this.#head;
  }

  /** Takes a record. @returns how many, of all, had to give way: it may be this one. */
  push(frame: Uint8Array): number {
    this.#frames.push(frame);
    this.#bytes += frame.length;
    return this.#trim();
  }

  /** Takes back what was taken out of it, in its order. @returns as {@link push}. */
  unshift(frames: readonly Uint8Array[]): number {
    this.#frames = [...frames, ...this.#frames.slice(this.#head)];
    this.#head = 0;
    for (const { length } of frames) this.#bytes += length;
    return this.#trim();
  }

  /** The oldest, which stays where it is. */
  peek(): Uint8Array | undefined {
    return this.#frames[this.#head];
  }

  /** Takes the oldest out. */
  shift(): void {
    if (this.length === 0) return;
    this.#bytes -= this.#frames[this.#head]!.length;
    this.#frames[this.#head++] = GONE;
    // Each is moved once for as many as were taken out before.
    if (this.#head * 2 < this.#frames.length) return;
    this.#frames = this.#frames.slice(this.#head);
    this.#head = 0;
  }

  #trim(): number {
    const { records, bytes, overflow } = this.#bounds;
    let lost = 0;
    while (this.length > records || (this.#bytes > bytes && this.length > 0)) {
      if (overflow === "oldest") this.shift();
      else this.#bytes -= this.#frames.pop()!.length;
      lost++;
    }
    return lost;
  }
}

const GONE = new Uint8Array();
