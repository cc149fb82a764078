import { bytesOf } from "../exchange.ts";

/** Of a body that comes at once so many bytes are looked at. */
const MOST = 1024 * 1024;

type Bytes = Uint8Array<ArrayBuffer>;
type Result = ReadableStreamReadResult<Bytes>;

/** A body that was read ahead as far as it was there: one that was made of bytes or text is there as a whole. */
export class Ahead {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  readonly #pieces: Bytes[] = [];
  #next: ReturnType<ReadableStreamDefaultReader<unknown>["read"]> | undefined = undefined;
  /** In bytes, of what is there. */
  length = 0;
  /** Nothing more will come. */
  whole = false;

  constructor(body: ReadableStream) {
    this.#reader = body.getReader();
  }

  /** Resolves when all is there, or nothing more in this turn of the event loop. Never rejects. */
  async look(): Promise<void> {
    const turn = new Promise<undefined>((resolve) => setTimeout(resolve, 0));
    while (this.length <= MOST) {
      this.#next = this.#reader.read();
      // What has failed fails when it is read.
      const found = await Promise.race([this.#next, turn]).catch(() => undefined);
      if (found === undefined || !found.done && !(found.value instanceof Uint8Array)) return;
      this.#next = undefined;
      if (found.done) return void (this.whole = true);
      this.#pieces.push(found.value as Bytes);
      this.length += (found.value as Bytes).length;
    }
  }

  /** @throws TypeError for what is no bytes, and whatever the body throws. */
  async read(): Promise<Result> {
    const piece = this.#pieces.shift();
    if (piece !== undefined) return { done: false, value: piece };
    if (this.whole) return { done: true, value: undefined };
    const { done, value } = await (this.#next ?? this.#reader.read());
    this.#next = undefined;
    return done ? { done, value: undefined } : { done, value: bytesOf(value) };
  }

  /** All of it, which is {@link whole}. */
  take(): Blob {
    return new Blob(this.#pieces);
  }

  cancel(reason?: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}
