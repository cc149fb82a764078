/** What sessions of streams and of datagrams have in common. */
import { given } from "./arguments.ts";
import type { Codec } from "./stream/codec.ts";
import type { Address } from "./endpoint.ts";
import type { Logger, Session } from "./plugin.ts";
import type { Service } from "./service.ts";
import { checkCodec } from "./stream/codec-checks.ts";
import { Reader } from "./stream/reader.ts";

/** What few sessions need, made when first asked for: an idle connection stays small. */
interface Extra {
  log: Logger | undefined;
  controller: AbortController | undefined;
  reader: Reader | undefined;
}

const encoder = new TextEncoder();

/**
 * Encodes text; bytes pass.
 *
 * @throws TypeError at the plugin's line for anything else, which a plugin in JavaScript may give.
 */
export function toBytes(bytes: Uint8Array | string): Uint8Array {
  if (typeof bytes === "string") return encoder.encode(bytes);
  // A proxy of bytes passes for some, and fails where it is too late.
  if (ArrayBuffer.isView(bytes) && bytes instanceof Uint8Array) return bytes;
  throw new TypeError(
    `Cannot write: bytes (a Uint8Array) or text are due, received ${given(bytes)}`,
  );
}

export abstract class BaseSession implements Session<unknown> {
  readonly id: number;
  state: unknown = undefined;
  bytesIn = 0;
  bytesOut = 0;
  #extra: Extra | undefined = undefined;

  constructor(id: number) {
    this.id = id;
  }

  abstract readonly service: Service;
  abstract readonly kind: "stream" | "datagram";
  abstract readonly remote: Address;
  abstract readonly local: Address;
  /** Whether nothing can be done with it any more; decides the state of a late {@link signal}. */
  abstract readonly over: boolean;
  abstract write(bytes: Uint8Array | string): boolean;
  abstract send(bytes: Uint8Array | string): Promise<void>;
  abstract end(bytes?: Uint8Array | string): void;
  abstract abort(): void;
  abstract pause(): void;
  abstract resume(): void;
  /** Asks the source to wait, for the reader. */
  protected abstract throttle(full: boolean): void;

  get log(): Logger {
    return this.extra.log ??= this.service.logger(this.id);
  }

  get signal(): AbortSignal {
    const extra = this.extra;
    if (extra.controller === undefined) {
      extra.controller = new AbortController();
      if (this.over) extra.controller.abort(new DOMException("the session is over", "AbortError"));
    }
    return extra.controller.signal;
  }

  /** Tells the plugin, if it listens, that the session ends. */
  signalEnd(reason: string): void {
    this.#extra?.controller?.abort(new DOMException(reason, "AbortError"));
  }

  /** Makes the reader, before the first chunk comes. */
  openReader(): void {
    this.extra.reader ??= new Reader((full) => this.throttle(full));
  }

  /** Hands a chunk to the reader, which is there. The bytes are the reader's. */
  feed(chunk: Uint8Array): void {
    this.#extra!.reader!.push(chunk);
  }

  /** @throws Error in a plugin of push form, whose data never comes here. */
  get reader(): Reader {
    if (!this.service.pulls) {
      throw new Error(
        "Cannot pull from a session whose plugin has a data hook: use handle instead",
      );
    }
    this.openReader();
    return this.extra.reader!;
  }

  /** Ends the pull side, if there is one. */
  closeReader(error?: unknown): void {
    this.#extra?.reader?.close(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this.reader.chunks();
  }

  lines(max?: number): AsyncIterableIterator<string> {
    return this.reader.lines(max);
  }

  readExactly(length: number): Promise<Uint8Array> {
    return this.reader.exactly(length);
  }

  readUntil(delimiter: Uint8Array | string, max?: number): Promise<Uint8Array | undefined> {
    return this.reader.until(delimiter, max);
  }

  frames(codec: Codec): AsyncIterableIterator<Uint8Array> {
    checkCodec("frames(codec)", codec);
    return this.reader.frames(codec, (frame) => frame, false);
  }

  private get extra(): Extra {
    return this.#extra ??= { log: undefined, controller: undefined, reader: undefined };
  }
}
