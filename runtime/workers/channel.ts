/**
 * Messages over one end of a socket pair: a length, JSON, and then bytes as they are, where a message
 * has any. What one turn of the event loop sends leaves in one write. Descriptors travel along a pair
 * of their own, sent before the message that names them, so that they are there when it arrives.
 *
 * Structured clones (`node:v8`) could carry anything. But both ends may be of different runtimes, and
 * on Deno each clone that is written or read takes memory that is never given back.
 */
import type { Connection, StreamTable } from "../core/contract.ts";
import type { Passing } from "../core/descriptors.ts";
import { Address } from "../core/endpoint.ts";
import type { PorticoError } from "../core/errors.ts";
import { ImmediateWriter } from "./immediate-writer.ts";

/** Bytes of the length before each message. */
const HEAD = 4;
/** What is not sent yet, above which {@link Channel.full} is true. */
const FULL = 4 * 1024 * 1024;

/** Milliseconds that the last words may take. */
const LAST = 1000;

const NOWHERE = new Address("unix", "", 0, "");

/** What stands between JSON, which never holds it, and bytes. */
const BYTES = 0;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message is JSON values, but for `bytes`, which travel beside them and are the caller's until they have left. */
export class Channel<Out extends object, In> {
  readonly #receive: (message: In) => void;
  readonly #closed: (error: PorticoError | undefined) => void;
  #connection: Connection | undefined = undefined;
  #immediate: ImmediateWriter | undefined = undefined;
  #out: Uint8Array[] = [];
  #scheduled = false;
  #aborted = false;
  // What has come of a message that is not whole, how much that is, and from how much on there is something to do.
  #parts: Uint8Array[] = [];
  #held = 0;
  #needed = HEAD;

  constructor(
    receive: (message: In) => void,
    closed: (error: PorticoError | undefined) => void,
  ) {
    this.#receive = receive;
    this.#closed = closed;
  }

  /**
   * Takes over one end of a pair.
   *
   * @param immediate another descriptor for it, the caller's: what is flushed has left when {@link flush}
   * returns.
   * @throws PorticoError.
   */
  async open(descriptors: Passing, fd: number, immediate?: number): Promise<void> {
    if (immediate !== undefined) this.#immediate = new ImmediateWriter(descriptors, immediate);
    const origin = { remote: NOWHERE, local: NOWHERE };
    await descriptors.adopt(fd, origin, this.#table(), undefined);
  }

  /** The other side is slow: what is not urgent should not be sent. */
  get full(): boolean {
    return (this.#connection?.pending ?? 0) > FULL;
  }

  /** @throws TypeError what has no JSON: a circle, a bigint. */
  send(message: Out): void {
    const bytes = "bytes" in message ? message.bytes as Uint8Array : undefined;
    const plain = bytes === undefined ? message : { ...message, bytes: undefined };
    const json = encoder.encode(JSON.stringify(plain));
    const head = new Uint8Array(HEAD);
    const size = json.length + (bytes === undefined ? 0 : 1 + bytes.length);
    new DataView(head.buffer).setUint32(0, size);
    this.#out.push(head, json);
    if (bytes !== undefined) this.#out.push(Uint8Array.of(BYTES), bytes);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.flush());
  }

  /** As {@link send}, and {@link flush}. */
  sendNow(message: Out): void {
    this.send(message);
    this.flush();
  }

  /** Writes what was sent; to be called before the process ends. */
  flush(): void {
    this.#scheduled = false;
    const out = this.#out;
    this.#out = [];
    if (out.length === 0) return;
    const bytes = join(out);
    if (this.#immediate === undefined) this.#connection?.write(bytes);
    else this.#immediate.write(bytes);
  }

  /** As {@link flush}, for the last time: a reader that is slow is waited for. */
  finish(): void {
    this.flush();
    this.#immediate?.finish(LAST);
  }

  /** Sends what is left, then the end. */
  end(): void {
    this.finish();
    this.#connection?.end();
  }

  /** Nothing is sent or heard any more, though it be still on its way to being open. */
  abort(): void {
    this.#aborted = true;
    this.#connection?.abort(true);
  }

  #table(): StreamTable {
    return {
      open: (connection) => {
        this.#connection = connection;
        if (this.#aborted) connection.abort(true);
      },
      data: (_connection, chunk) => this.#read(chunk),
      drain() {},
      end: (connection) => connection.end(),
      close: (_connection, error) => {
        this.#connection = undefined;
        this.#immediate?.stop();
        this.#closed(error);
      },
      failure() {},
    };
  }

  #read(chunk: Uint8Array): void {
    this.#held += chunk.length;
    // The chunk is lent: what is kept of it is copied, once, however many a message comes in.
    if (this.#held < this.#needed) return void this.#parts.push(new Uint8Array(chunk));
    let bytes = this.#parts.length === 0 ? chunk : join([...this.#parts, chunk]);
    for (;;) {
      const told = bytes.length < HEAD
        ? 0
        : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      this.#needed = HEAD + told;
      if (bytes.length < this.#needed) break;
      this.#receive(parse(bytes.subarray(HEAD, this.#needed)) as In);
      bytes = bytes.subarray(this.#needed);
    }
    this.#parts = bytes.length === 0 ? [] : [new Uint8Array(bytes)];
    this.#held = bytes.length;
  }
}

function parse(body: Uint8Array): unknown {
  const end = body.indexOf(BYTES);
  if (end < 0) return JSON.parse(decoder.decode(body));
  // Bytes are the receiver's to keep, and the chunk is lent.
  const bytes = new Uint8Array(body.subarray(end + 1));
  return Object.assign(JSON.parse(decoder.decode(body.subarray(0, end))), { bytes });
}

/** One after the other, in memory that does not move. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(new ArrayBuffer(size));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
