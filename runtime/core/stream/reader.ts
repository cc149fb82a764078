/** Push → pull: what arrives is kept, in bounds, until it is asked for. */
import type { Codec } from "./codec.ts";
import { endingWith, fixed } from "./codec.ts";
import { checkFound } from "./codec-checks.ts";
import { wholeNumber } from "../arguments.ts";
import { PorticoError } from "../errors.ts";

/** Above this many unread bytes the source is asked to wait, below the other it goes on. */
const HIGH_WATER = 64 * 1024;
const LOW_WATER = 16 * 1024;

/** What one read may ask for. */
const LENGTH = { least: 0, most: 2 ** 32 - 1, due: "a whole number of bytes, 0 to 4294967295," };

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true };
const NOTHING: Uint8Array = new Uint8Array(0);
const decoder = new TextDecoder();

/** The pull side of one session. Bytes that it hands out are never written again. */
export class Reader {
  readonly #throttle: (full: boolean) => void;
  readonly #executor: (resolve: (got: boolean) => void, reject: (error: unknown) => void) => void;
  readonly #chunkExecutor: (
    resolve: (result: IteratorResult<Uint8Array, undefined>) => void,
    reject: (error: unknown) => void,
  ) => void;
  #queue: Uint8Array[] = [];
  /** What codecs look at: `#buffer` from `#start` to `#end`. */
  #buffer: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;
  /** How far the present codec has searched, and how much it needs to go on. */
  #searched = 0;
  #needed = 0;
  #codec: Codec | undefined = undefined;
  #size = 0;
  #full = false;
  #over = false;
  #error: unknown = undefined;
  /** Who waits: a reader of frames for more, or a reader of chunks for one. */
  #resolve: ((got: boolean) => void) | undefined = undefined;
  #resolveChunk: ((result: IteratorResult<Uint8Array, undefined>) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;

  /** @param throttle asks the source to wait (true) or to go on (false). */
  constructor(throttle: (full: boolean) => void) {
    this.#throttle = throttle;
    this.#executor = (resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    };
    this.#chunkExecutor = (resolve, reject) => {
      this.#resolveChunk = resolve;
      this.#reject = reject;
    };
  }

  /** Takes over `chunk`. */
  push(chunk: Uint8Array): void {
    if (this.#resolveChunk !== undefined) {
      const resolve = this.#resolveChunk;
      this.#resolveChunk = this.#reject = undefined;
      return resolve({ value: chunk, done: false });
    }
    this.#queue.push(chunk);
    this.#size += chunk.length;
    if (this.#resolve !== undefined) this.#wake(true);
    else if (this.#size > HIGH_WATER && !this.#full) {
      this.#full = true;
      this.#throttle(true);
    }
  }

  /** Nothing more will come: in order, or because of `error`, which what is unread comes before. */
  close(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    if (this.#reject === undefined) return;
    if (error !== undefined) this.#reject(error);
    else if (this.#resolve !== undefined) this.#resolve(false);
    else this.#resolveChunk!(DONE);
    this.#resolve = this.#resolveChunk = this.#reject = undefined;
  }

  /** The chunks as they came. */
  chunks(): AsyncIterator<Uint8Array, undefined> {
    return {
      next: () => {
        const chunk = this.#takeChunk();
        if (chunk !== undefined) return Promise.resolve({ value: chunk, done: false });
        return this.#refuseToWait() ?? (this.#over ? Promise.resolve(DONE) : this.#nextChunk());
      },
      return: () => Promise.resolve(DONE),
    };
  }

  /** Frames of `codec`; `convert` makes the value of each. `partial` takes what is left at the end. */
  frames<Value>(
    codec: Codec,
    convert: (frame: Uint8Array) => Value,
    partial: boolean,
  ): AsyncIterableIterator<Value> {
    const next = (): Promise<IteratorResult<Value, undefined>> => {
      try {
        const frame = this.#takeFrame(codec);
        if (frame !== undefined) return Promise.resolve({ value: convert(frame), done: false });
      } catch (error) {
        return Promise.reject(error);
      }
      return this.#more().then((got) => {
        if (got) return next();
        const rest = this.#takeRest(partial);
        return rest === undefined ? DONE : { value: convert(rest), done: false };
      });
    };
    return {
      next,
      return: () => Promise.resolve(DONE),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  lines(max?: number): AsyncIterableIterator<string> {
    return this.frames(endingWith("mark", "lines(max)", "\n", max), toLine, true);
  }

  async exactly(length: number): Promise<Uint8Array> {
    wholeNumber("length of readExactly(length)", length, LENGTH);
    if (length === 0) return NOTHING;
    const frame = await this.frame(fixed(length));
    if (frame === undefined) {
      throw new PorticoError("UNEXPECTED_END", `the peer ended before ${length} bytes had come`);
    }
    return frame;
  }

  until(delimiter: Uint8Array | string, max?: number): Promise<Uint8Array | undefined> {
    return this.frame(endingWith("delimiter", "readUntil(delimiter, max)", delimiter, max));
  }

  /** One frame; undefined at the end. */
  async frame(codec: Codec): Promise<Uint8Array | undefined> {
    for (;;) {
      const frame = this.#takeFrame(codec);
      if (frame !== undefined) return frame;
      if (!await this.#more()) return this.#takeRest(false);
    }
  }

  /** Resolves with true when there is more to take, with false at the end. */
  #more(): Promise<boolean> {
    if (this.#queue.length > 0) return Promise.resolve(true);
    const refused = this.#refuseToWait();
    if (refused !== undefined) return refused;
    if (this.#over) return Promise.resolve(false);
    const promise = new Promise(this.#executor);
    this.#relieve();
    return promise;
  }

  #nextChunk(): Promise<IteratorResult<Uint8Array, undefined>> {
    const promise = new Promise(this.#chunkExecutor);
    this.#relieve();
    return promise;
  }

  /** A rejection, when there is nothing that could be waited for in order. */
  #refuseToWait(): Promise<never> | undefined {
    if (this.#reject !== undefined) {
      return Promise.reject(new Error("Cannot read: another read of this session is waiting"));
    }
    return this.#over && this.#error !== undefined ? Promise.reject(this.#error) : undefined;
  }

  #wake(got: boolean): void {
    const resolve = this.#resolve!;
    this.#resolve = this.#reject = undefined;
    resolve(got);
  }

  #relieve(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#throttle(false);
  }

  #takeChunk(): Uint8Array | undefined {
    let chunk: Uint8Array | undefined;
    if (this.#end > this.#start) {
      chunk = this.#buffer.subarray(this.#start, this.#end);
      this.#forget();
    } else chunk = this.#queue.shift();
    if (chunk !== undefined) this.#release(chunk.length);
    return chunk;
  }

  #takeFrame(codec: Codec): Uint8Array | undefined {
    // What another one has searched, or one that has failed, is no matter of this one.
    if (codec !== this.#codec) {
      this.#codec = codec;
      this.#searched = this.#needed = 0;
    }
    for (;;) {
      const length = this.#end - this.#start;
      if (length >= this.#needed && length > 0) {
        const bytes = this.#buffer.subarray(this.#start, this.#end);
        const found = this.#search(codec, bytes);
        if (typeof found !== "number") {
          this.#start += found.next;
          this.#searched = this.#needed = 0;
          this.#release(found.next);
          return bytes.subarray(found.start, found.end);
        }
        this.#searched = length;
        this.#needed = found;
      }
      const chunk = this.#queue.shift();
      if (chunk === undefined) return undefined;
      this.#append(chunk);
    }
  }

  #search(codec: Codec, bytes: Uint8Array): ReturnType<Codec["next"]> {
    try {
      return checkFound(codec.next(bytes, this.#searched), bytes.length);
    } catch (error) {
      this.#codec = undefined;
      throw error;
    }
  }

  /** What is left when the stream has ended: all of it, or an error. */
  #takeRest(partial: boolean): Uint8Array | undefined {
    if (this.#end === this.#start) return undefined;
    const rest = this.#buffer.subarray(this.#start, this.#end);
    this.#forget();
    this.#size = 0;
    if (partial) return rest;
    throw new PorticoError(
      "UNEXPECTED_END",
      `the peer ended in the middle of a frame, ${rest.length} bytes after its start`,
    );
  }

  #append(chunk: Uint8Array): void {
    const length = this.#end - this.#start;
    if (length === 0) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#buffer.length - this.#end < chunk.length || this.#buffer === NOTHING) {
      // A new buffer, never a move within the old one: views of it have been handed out.
      const grown = new Uint8Array(Math.max(2 * (length + chunk.length), 1024));
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
      this.#start = 0;
      this.#end = length;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  #forget(): void {
    this.#buffer = NOTHING;
    this.#start =
      this.#end =
      this.#searched =
      this.#needed =
        0;
  }

  #release(bytes: number): void {
    this.#size -= bytes;
    if (this.#full && this.#size <= LOW_WATER) this.#relieve();
  }
}

function toLine(frame: Uint8Array): string {
  const end = frame.length > 0 && frame[frame.length - 1] === 13 ? frame.length - 1 : frame.length;
  return decoder.decode(frame.subarray(0, end));
}
