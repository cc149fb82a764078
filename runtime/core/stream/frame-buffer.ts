/** What codecs look at: the bytes of a stream that no frame was made of yet. */
import { PorticoError } from "../errors.ts";
import { checkFound } from "./codec-checks.ts";
import { type Codec, type Frame, type Parsed, type Ruler, rulerOf } from "./codec.ts";

const NOTHING: Uint8Array = new Uint8Array(0);

/** There is no whole frame: any value may be a frame's. */
export const NONE: unique symbol = Symbol("no frame");

/** Bytes that it hands out are never written again. */
export class FrameBuffer {
  /** The bytes are those of `#bytes` from `#start` to `#end`. */
  #bytes: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;
  /** `#bytes` was made here, and is nobody else's to write. */
  #owned = false;
  /** How far the present codec has searched, and how much it needs to go on. */
  #searched = 0;
  #needed = 0;
  #codec: Codec<unknown> | undefined = undefined;
  #ruler: Ruler | undefined = undefined;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Adds a chunk. The first one is looked at where it is. */
  append(chunk: Uint8Array): void {
    const { length } = this;
    if (length === 0) {
      this.#bytes = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#owned = false;
      return;
    }
    const fits = this.#owned && this.#bytes.length - this.#end >= chunk.length;
    if (!fits) this.#copy(2 * (length + chunk.length));
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** What is left of a lent chunk is copied. */
  own(): void {
    if (this.length === 0) this.#bytes = NOTHING;
    else if (!this.#owned) this.#copy(this.length);
  }

  /** A new buffer, never a move within the old one: views of it have been handed out. */
  #copy(size: number): void {
    const { length } = this;
    const copy = new Uint8Array(Math.max(size, 1024));
    copy.set(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = copy;
    this.#start = 0;
    this.#end = length;
    this.#owned = true;
  }

  /** The next frame's value, or {@link NONE}. @throws what the codec throws. */
  take<Value>(codec: Codec<Value>): Value | typeof NONE {
    const { length } = this;
    // What another one has searched, or one that has failed, is no matter of this one.
    if (codec !== this.#codec) {
      this.#codec = codec as Codec<unknown>;
      this.#ruler = rulerOf(codec as Codec<unknown>);
      this.#searched = this.#needed = 0;
    }
    if (length === 0 || length < this.#needed) return NONE;
    try {
      return (this.#ruler === undefined ? this.#ask(length) : this.#measure(this.#ruler)) as Value;
    } catch (error) {
      this.#codec = undefined;
      throw error;
    }
  }

  #measure(ruler: Ruler): unknown {
    const bytes = this.#bytes;
    const length = ruler.measure(bytes, this.#start, this.#end, this.#searched);
    if (length < 0) return this.#lacks(-length);
    const start = this.#start + ruler.head;
    const end = start + length;
    const value = ruler.value === undefined
      ? bytes.subarray(start, end)
      : ruler.value(bytes, start, end);
    this.#skipTo(end + ruler.tail);
    return value;
  }

  #ask(length: number): unknown {
    const bytes = this.#bytes.subarray(this.#start, this.#end);
    const answer = this.#codec!.next(bytes, this.#searched) as Frame | Parsed<unknown> | number;
    const found = checkFound(answer, length);
    if (typeof found === "number") return this.#lacks(found);
    this.#skipTo(this.#start + found.next);
    return "value" in found ? found.value : bytes.subarray(found.start, found.end);
  }

  #lacks(needed: number): typeof NONE {
    this.#searched = this.length;
    this.#needed = needed;
    return NONE;
  }

  #skipTo(start: number): void {
    this.#start = start;
    this.#searched = this.#needed = 0;
  }

  /** The next `length` bytes, or {@link NONE}. */
  takeExactly(length: number): Uint8Array | typeof NONE {
    const end = this.#start + length;
    if (end > this.#end) return NONE;
    const bytes = this.#bytes.subarray(this.#start, end);
    this.#skipTo(end);
    return bytes;
  }

  /** All that is left. */
  takeBytes(): Uint8Array {
    const bytes = this.#bytes;
    const whole = this.length === bytes.length;
    const rest = whole ? bytes : bytes.subarray(this.#start, this.#end);
    this.#bytes = NOTHING;
    this.#start =
      this.#end =
      this.#searched =
      this.#needed =
        0;
    return rest;
  }

  /**
   * The peer has ended: what is left, as the codec sees it; {@link NONE} when nothing is.
   *
   * @throws PorticoError UNEXPECTED_END.
   */
  takeLast<Value>(codec: Codec<Value>): Value | typeof NONE {
    const rest = this.takeBytes();
    if (rest.length === 0) return NONE;
    if (codec.last !== undefined) return codec.last(rest);
    throw new PorticoError(
      "UNEXPECTED_END",
      `the peer ended in the middle of a frame, ${rest.length} bytes after its start`,
    );
  }
}
