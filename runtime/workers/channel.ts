/**
 * Messages over one end of a socket pair: a length, then a structured clone. What one turn of the
 * event loop sends leaves in one write. Descriptors travel along a pair of their own, sent before
 * the message that names them, so that they are there when it arrives.
 */
import { deserialize, serialize } from "node:v8";
import type { Connection, StreamTable } from "../core/contract.ts";
import type { Descriptors } from "../core/descriptors.ts";
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

/** How messages become bytes. Both ends have to have the same. */
export interface Format {
  encode(message: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** Structured clones, for both ends on one runtime: each has a format of its own. */
const CLONES: Format = { encode: serialize, decode: deserialize };

export class Channel<Out, In> {
  readonly #format: Format;
  readonly #receive: (message: In) => void;
  readonly #closed: (error: PorticoError | undefined) => void;
  #connection: Connection | undefined = undefined;
  #immediate: ImmediateWriter | undefined = undefined;
  #out: Uint8Array[] = [];
  #scheduled = false;
  /** What has come of a message that is not whole. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(
    receive: (message: In) => void,
    closed: (error: PorticoError | undefined) => void,
    format: Format = CLONES,
  ) {
    this.#format = format;
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
  async open(descriptors: Descriptors, fd: number, immediate?: number): Promise<void> {
    if (immediate !== undefined) this.#immediate = new ImmediateWriter(descriptors, immediate);
    const origin = { remote: NOWHERE, local: NOWHERE };
    await descriptors.adopt(fd, origin, this.#table(), undefined);
  }

  /** The other side is slow: what is not urgent should not be sent. */
  get full(): boolean {
    return (this.#connection?.pending ?? 0) > FULL;
  }

  send(message: Out): void {
    const body = this.#format.encode(message);
    const head = new Uint8Array(HEAD);
    new DataView(head.buffer).setUint32(0, body.length);
    this.#out.push(head, body);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.flush());
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

  abort(): void {
    this.#connection?.abort(true);
  }

  #table(): StreamTable {
    return {
      open: (connection) => {
        this.#connection = connection;
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
    let bytes = this.#rest.length === 0 ? chunk : join([this.#rest, chunk]);
    for (;;) {
      if (bytes.length < HEAD) break;
      const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      if (bytes.length < HEAD + size) break;
      // A copy: what is decoded may be a view of it, which the receiver keeps; and Deno takes such a
      // view from the wrong place where the bytes do not begin with their buffer.
      const body = new Uint8Array(bytes.subarray(HEAD, HEAD + size));
      this.#receive(this.#format.decode(body) as In);
      bytes = bytes.subarray(HEAD + size);
    }
    // The chunk is lent: what is kept of it is copied.
    this.#rest = new Uint8Array(bytes);
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  // Memory that does not move.
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(new ArrayBuffer(size));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
