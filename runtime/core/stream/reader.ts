/** Push → pull: what arrives is kept, in bounds, until it is asked for. */
import { type Clock, SYSTEM_CLOCK } from "../clock.ts";
import { objectWith, wholeNumber, wrongType } from "../arguments.ts";
import { PorticoError } from "../errors.ts";
import type { ReadOptions } from "../plugin.ts";
import { milliseconds } from "../units.ts";
import { type Codec, endingWith, fixed, lines } from "./codec.ts";
import { FrameBuffer, NONE } from "./frame-buffer.ts";
import { lending, type Loan } from "./lending.ts";

/** Above this many unread bytes the source is asked to wait, below the other it goes on. */
const HIGH_WATER = 64 * 1024;
const LOW_WATER = 16 * 1024;

/** What one read may ask for. */
const LENGTH = { least: 0, most: 2 ** 32 - 1, due: "a whole number of bytes, 0 to 4294967295," };

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true };
const NOTHING: Uint8Array = new Uint8Array(0);

/** Whose bytes they are. */
export interface ReaderSource {
  /** Asks it to wait (true) or to go on (false). */
  throttle(full: boolean): void;
  /** All has been read that there was, and nothing more will come. */
  exhausted(): void;
  /** Of the reads that have a timeout; {@link SYSTEM_CLOCK} when silent. */
  readonly clock?: Clock;
}

type Resolve = (answer: unknown) => void;

/** The pull side of one session. Bytes that it hands out are never written again. */
export class Reader {
  readonly #source: ReaderSource;
  readonly #executor: (resolve: Resolve, reject: (error: unknown) => void) => void;
  /** What has come, and no codec has looked at. */
  #queue: Uint8Array[] = [];
  readonly #buffer: FrameBuffer = new FrameBuffer();
  /** Of both, in bytes. */
  #size = 0;
  #full = false;
  #over = false;
  #error: unknown = undefined;
  /** Who waits, for a frame of this codec, or a chunk; and whether as an iterator's result. */
  #resolve: Resolve | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;
  #codec: Codec<unknown> | undefined = undefined;
  #iterates = false;
  /** The codec of the last {@link until}: mostly the next one's, too. */
  #until: { mark: string; max: number | undefined; codec: Codec } | undefined = undefined;

  #loan: Loan | undefined = undefined;

  constructor(source: ReaderSource) {
    this.#source = source;
    this.#executor = (resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    };
  }

  /** Nothing more will come, and nothing is unread. */
  get exhausted(): boolean {
    return this.#over && this.#size === 0;
  }

  /** Takes over `chunk`. */
  push(chunk: Uint8Array): void {
    if (this.#size === 0 && this.#queue.length === 0) {
      // Whoever waits for a chunk is given it; a codec looks at it where it is.
      if (this.#reject !== undefined && this.#codec === undefined) return this.#settle(chunk);
      if (chunk.length > 0) this.#buffer.append(chunk);
      else this.#queue.push(chunk);
    } else this.#queue.push(chunk);
    this.#size += chunk.length;
    if (this.#reject !== undefined) this.#answer();
    else if (this.#size > HIGH_WATER && !this.#full) {
      this.#full = true;
      this.#source.throttle(true);
    }
  }

  /** Lends what is in `chunk` to whoever waits for one, until the next is asked for; false where it is to be pushed. */
  offer(chunk: Uint8Array): boolean {
    if (this.#reject === undefined || this.#codec !== undefined) return false;
    const loan = this.#loan = lending?.lend(chunk);
    if (loan !== undefined) this.#settle(loan.chunk);
    return loan !== undefined;
  }

  /** Nothing more will come: in order, or because of `error`, which what is unread comes before. */
  close(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    if (this.#reject !== undefined) {
      if (error === undefined) this.#answer();
      else this.#giveUp(error);
    }
    if (this.#size === 0) this.#source.exhausted();
  }

  /** The chunks as they came. */
  chunks(): AsyncIterableIterator<Uint8Array> {
    return this.#iterate(undefined) as AsyncIterableIterator<Uint8Array>;
  }

  /** Frames of `codec`. */
  frames<Value>(codec: Codec<Value>): AsyncIterableIterator<Value> {
    return this.#iterate(codec as Codec<unknown>) as AsyncIterableIterator<Value>;
  }

  lines(max?: number): AsyncIterableIterator<string> {
    return this.frames(lines(max));
  }

  #iterate(codec: Codec<unknown> | undefined): AsyncIterableIterator<unknown> {
    return {
      next: () => this.#ask(codec, true) as Promise<IteratorResult<unknown>>,
      return: () => Promise.resolve(DONE),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  exactly(length: number): Promise<Uint8Array> {
    try {
      wholeNumber("length of readExactly(length)", length, LENGTH);
    } catch (error) {
      return Promise.reject(error);
    }
    if (length === 0) return Promise.resolve(NOTHING);
    if (length <= this.#size && !this.waiting) {
      for (;;) {
        const bytes = this.#buffer.takeExactly(length);
        if (bytes !== NONE) {
          this.#release(length);
          return Promise.resolve(bytes);
        }
        this.#buffer.append(this.#queue.shift()!);
      }
    }
    return this.#exactlyLater(length);
  }

  async #exactlyLater(length: number): Promise<Uint8Array> {
    const frame = await this.read(fixed(length));
    if (frame === undefined) {
      throw new PorticoError("UNEXPECTED_END", `the peer ended before ${length} bytes had come`);
    }
    return frame;
  }

  until(mark: Uint8Array | string, max?: number): Promise<Uint8Array | undefined> {
    const last = this.#until;
    if (last !== undefined && last.mark === mark && last.max === max) return this.read(last.codec);
    let codec: Codec;
    try {
      codec = endingWith("delimiter", "readUntil(delimiter, max)", mark, max);
    } catch (error) {
      return Promise.reject(error);
    }
    if (typeof mark === "string") this.#until = { mark, max, codec };
    return this.read(codec);
  }

  /** One frame; undefined at the end. */
  read<Value>(codec: Codec<Value>, options?: ReadOptions): Promise<Value | undefined> {
    return options === undefined
      ? this.#ask(codec as Codec<unknown>, false) as Promise<Value | undefined>
      : this.#readWithin(codec as Codec<unknown>, options) as Promise<Value | undefined>;
  }

  /** A read that may be given up: nothing is lost then, and another one may follow. */
  async #readWithin(
    codec: Codec<unknown>,
    options: ReadOptions,
  ): Promise<unknown> {
    objectWith("options of read(codec, options)", "an object", options);
    const { signal, timeout = Infinity } = options;
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw wrongType("signal of read(codec, options)", "an AbortSignal", signal);
    }
    const limit = milliseconds(timeout, "timeout of read(codec, options)");
    signal?.throwIfAborted();
    const answer = this.#ask(codec, false);
    const mine = this.#reject;
    const giveUp = (why: unknown): void => {
      if (mine !== undefined && this.#reject === mine) this.#giveUp(why);
    };
    const { clock = SYSTEM_CLOCK } = this.#source;
    const timer = limit === Infinity ? undefined : clock.setTimeout(() => {
      const text = `the peer has sent no whole frame within ${limit} ms`;
      giveUp(new PorticoError("ETIMEDOUT", text));
    }, limit);
    const aborted = (): void => giveUp(signal!.reason);
    signal?.addEventListener("abort", aborted);
    try {
      return await answer;
    } finally {
      clock.clear(timer);
      signal?.removeEventListener("abort", aborted);
    }
  }

  /** All that is unread, for somebody who reads in another way from here on. */
  takeAll(): Uint8Array[] {
    const all = this.#buffer.length > 0 ? [this.#buffer.takeBytes(), ...this.#queue] : this.#queue;
    this.#queue = [];
    this.#release(this.#size);
    return all;
  }

  /** Bytes that are unread. */
  get size(): number {
    return this.#size;
  }

  /** Whether somebody waits for what comes. */
  get waiting(): boolean {
    return this.#reject !== undefined;
  }

  #ask(codec: Codec<unknown> | undefined, iterates: boolean): Promise<unknown> {
    if (this.waiting) {
      return Promise.reject(new Error("Cannot read: another read of this session is waiting"));
    }
    if (codec === undefined && this.#loan !== undefined) this.#loan = lending?.giveBack(this.#loan);
    try {
      const found = this.#take(codec);
      if (found !== NONE) return Promise.resolve(iterates ? { value: found, done: false } : found);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#over && this.#error !== undefined) return Promise.reject(this.#error);
    this.#codec = codec;
    this.#iterates = iterates;
    const promise = new Promise(this.#executor);
    if (this.#over) this.#answer();
    else this.#relieve();
    return promise;
  }

  /** Gives whoever waits what there is for it, if there is. */
  #answer(): void {
    let found: unknown;
    try {
      found = this.#take(this.#codec);
      if (found === NONE && this.#over) found = this.#takeLast();
    } catch (error) {
      return this.#giveUp(error);
    }
    if (found !== NONE || this.#over) this.#settle(found);
  }

  #settle(found: unknown): void {
    const resolve = this.#resolve!;
    this.#resolve = this.#reject = undefined;
    if (!this.#iterates) resolve(found === NONE ? undefined : found);
    else resolve(found === NONE ? DONE : { value: found, done: false });
  }

  /** Whoever waits waits in vain. */
  #giveUp(error: unknown): void {
    const reject = this.#reject!;
    this.#resolve = this.#reject = undefined;
    reject(error);
  }

  /** The next chunk, or frame. */
  #take(codec: Codec<unknown> | undefined): unknown {
    return codec === undefined ? this.#takeChunk() : this.#takeFrame(codec);
  }

  #takeChunk(): Uint8Array | typeof NONE {
    const chunk = this.#buffer.length > 0 ? this.#buffer.takeBytes() : this.#queue.shift();
    if (chunk === undefined) return NONE;
    this.#release(chunk.length);
    return chunk;
  }

  #takeFrame(codec: Codec<unknown>): unknown {
    for (;;) {
      const { length } = this.#buffer;
      const frame = this.#buffer.take(codec);
      if (frame !== NONE) {
        this.#release(length - this.#buffer.length);
        return frame;
      }
      const chunk = this.#queue.shift();
      if (chunk === undefined) return NONE;
      this.#buffer.append(chunk);
    }
  }

  /** What is left when the stream has ended. */
  #takeLast(): unknown {
    const { length } = this.#buffer;
    if (length === 0) return NONE;
    try {
      return this.#buffer.takeLast(this.#codec!);
    } finally {
      this.#release(length);
    }
  }

  #relieve(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#source.throttle(false);
  }

  #release(bytes: number): void {
    this.#size -= bytes;
    if (this.#full && this.#size <= LOW_WATER) this.#relieve();
    if (this.#size === 0 && this.#over && bytes > 0) this.#source.exhausted();
  }
}
