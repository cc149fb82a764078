import { wrongType } from "../arguments.ts";
import type { Codec } from "./codec.ts";
import { checkCodec } from "./codec-checks.ts";
import { KEPT } from "./kept.ts";
import { FrameBuffer, NONE } from "./frame-buffer.ts";

/**
 * Frames in push form: what a `data` hook keeps between two chunks. One for each session.
 *
 * ```ts
 * setup: () => new Framer(lines()),
 * data(session, chunk) {
 *   for (const line of session.state.push(chunk)) session.write(`${line}\r\n`);
 * },
 * ```
 */
export class Framer<Value> implements IterableIterator<Value, undefined> {
  readonly #codec: Codec<Value>;
  readonly #buffer: FrameBuffer = new FrameBuffer();
  /** It holds a chunk that is somebody else's. */
  #lent = false;

  constructor(codec: Codec<Value>) {
    checkCodec("new Framer(codec)", codec);
    this.#codec = codec;
  }

  /**
   * Adds a chunk, and gives the frames that are whole now: to be gone through before the hook returns. A
   * loop that is left early finds the others at the next push. Frames that are bytes are lent as the
   * chunk is.
   *
   * @throws Error when the frames of the chunk before were not gone through; of the loop, what the codec throws.
   */
  push(chunk: Uint8Array): this {
    if (!(chunk instanceof Uint8Array)) {
      throw wrongType("chunk of push(chunk)", "bytes (a Uint8Array)", chunk);
    }
    if (this.#lent) {
      throw new Error(
        "Cannot push: the frames of the last chunk were not taken, as in for (const frame of framer.push(chunk))",
      );
    }
    this.#lent = true;
    this.#buffer.append(chunk);
    return this;
  }

  next(): IteratorResult<Value, undefined> {
    let frame: Value | typeof NONE;
    try {
      frame = this.#buffer.take(this.#codec);
    } catch (error) {
      this.return();
      throw error;
    }
    return frame === NONE ? this.return() : { value: frame, done: false };
  }

  /** Keeps what is left of the chunk. */
  return(): IteratorResult<Value, undefined> {
    if (this.#lent) this.#buffer.own();
    this.#lent = false;
    return { value: undefined, done: true };
  }

  /**
   * What is left when the peer has ended, for the `end` hook; undefined when nothing is.
   *
   * @throws PorticoError UNEXPECTED_END in the middle of a frame.
   */
  end(): Value | undefined {
    const rest = this.#buffer.takeLast(this.#codec);
    return rest === NONE ? undefined : rest;
  }

  /** See {@link KEPT}. */
  get [KEPT](): number {
    return this.#buffer.length;
  }

  [Symbol.iterator](): this {
    return this;
  }
}
