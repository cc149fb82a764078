/** What sessions of streams and of datagrams have in common. */
import { given } from "./arguments.ts";
import type { Clock } from "./clock.ts";
import type { Codec } from "./stream/codec.ts";
import type { Address } from "./endpoint.ts";
import { PorticoError } from "./errors.ts";
import type { RuleOptions } from "./plan.ts";
import type { Closed, Logger, ReadOptions, Session, StartTlsOptions } from "./plugin.ts";
import { type Via, viaOf } from "./prologue/via.ts";
import type { Service } from "./service.ts";
import { checkCodec } from "./stream/codec-checks.ts";
import { keptOf } from "./stream/kept.ts";
import { Reader, type ReaderSource } from "./stream/reader.ts";
import type { TlsInfo } from "./tls.ts";
import type { Duration } from "./units.ts";

/** What few sessions need, made when first asked for: an idle connection stays small. */
interface Extra {
  log: Logger | undefined;
  controller: AbortController | undefined;
  reader: Reader | undefined;
  closed: PromiseWithResolvers<Closed> | undefined;
  ruleOptions: RuleOptions | undefined;
  serverName: string | undefined;
}

const encoder = new TextEncoder();

/**
 * Encodes text; bytes pass.
 *
 * @throws TypeError at the plugin's line for anything else, which a plugin in JavaScript may give.
 */
export function toBytes(bytes: Uint8Array | string): Uint8Array {
  if (typeof bytes === "string") {
    return bytes.length > SHORT ? encoder.encode(bytes) : encode(bytes);
  }
  // A proxy of bytes passes for some, and fails where it is too late.
  if (ArrayBuffer.isView(bytes) && bytes instanceof Uint8Array) return bytes;
  throw new TypeError(
    `Cannot write: bytes (a Uint8Array) or text are due, received ${given(bytes)}`,
  );
}

/** Characters up to which a loop is quicker than a call into the runtime. */
const SHORT = 32;

/** Short text, ASCII mostly, as the replies of most protocols are. */
function encode(text: string): Uint8Array {
  const { length } = text;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return encoder.encode(text);
    bytes[i] = code;
  }
  return bytes;
}

/** @throws TypeError at the plugin's line for what is no text. */
export function offenceOf(what: unknown): string {
  if (typeof what === "string") return what.slice(0, 200);
  throw new TypeError(`Cannot tell of an offence: text is due, received ${given(what)}`);
}

export abstract class BaseSession implements Session<unknown>, ReaderSource {
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
  /** Whether {@link closed} has come true. */
  protected abstract readonly gone: boolean;
  abstract reason: string | undefined;
  abstract write(bytes: Uint8Array | string): boolean;
  abstract send(bytes: Uint8Array | string): Promise<void>;
  abstract writable(): Promise<void>;
  abstract deadline(after: Duration): void;
  abstract end(bytes?: Uint8Array | string): void;
  abstract abort(): void;

  abstract pause(): void;
  abstract resume(): void;
  abstract throttle(full: boolean): void;
  /** See {@link ReaderSource}. */
  get clock(): Clock {
    return this.service.clock;
  }

  /** Where there is a connection that we see, it may speak TLS. */
  get tls(): TlsInfo | undefined {
    return undefined;
  }

  startTls(_options?: StartTlsOptions): Promise<TlsInfo> {
    const text = `cannot start TLS: ${
      this.kind === "stream" ? "a socket that a plugin takes" : "a datagram"
    } has none`;
    return Promise.reject(new PorticoError("NOT_SUPPORTED", text, { side: "plugin" }));
  }

  /** What has a connection is there. */
  confirm(): void {}

  /** See {@link Reader}. */
  exhausted(): void {}

  get ruleOptions(): RuleOptions | undefined {
    return this.#extra?.ruleOptions;
  }

  set ruleOptions(options: RuleOptions | undefined) {
    this.extra.ruleOptions = options;
  }

  /** Of one that we have opened: the host that was asked for. */
  get serverName(): string | undefined {
    return this.#extra?.serverName;
  }

  set serverName(name: string | undefined) {
    this.extra.serverName = name;
  }

  get via(): Via | undefined {
    return viaOf(this.remote);
  }

  get log(): Logger {
    return this.extra.log ??= this.service.logger(this.id);
  }

  offence(what: string): void {
    this.service.blame(this, { offence: offenceOf(what) });
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

  get closed(): Promise<Closed> {
    const { extra } = this;
    if (extra.closed === undefined) {
      extra.closed = Promise.withResolvers();
      if (this.gone) this.tellClosed();
    }
    return extra.closed.promise;
  }

  /** {@link closed} comes true. May be called again. */
  tellClosed(): void {
    this.#extra?.closed?.resolve({ reason: this.reason ?? "done" });
  }

  /** Makes the reader, before the first chunk comes. */
  openReader(): void {
    this.extra.reader ??= new Reader(this);
  }

  /** Hands a chunk to the reader, which is there. The bytes are the reader's. */
  feed(chunk: Uint8Array): void {
    this.#extra!.reader!.push(chunk);
  }

  /** Lends a chunk to the handler, if it waits for one. False: it is to be fed. */
  offer(chunk: Uint8Array): boolean {
    return this.#extra!.reader!.offer(chunk);
  }

  /** Whether what comes goes to the reader. */
  protected get pulls(): boolean {
    return this.service.pulls;
  }

  /** @throws Error in a plugin of push form, whose data never comes here. */
  get reader(): Reader {
    return this.#extra?.reader ?? this.#newReader();
  }

  #newReader(): Reader {
    if (!this.pulls) {
      throw new Error(
        "Cannot pull from a session whose plugin has a data hook: use handle instead",
      );
    }
    this.openReader();
    return this.extra.reader!;
  }

  /**
   * Bytes of the peer that a read waits for the rest of; 0 where none waits. In push form those that a
   * {@link Framer} keeps which is the session's state, or in it.
   */
  get incomplete(): number {
    const reader = this.#extra?.reader;
    if (reader !== undefined) return reader.waiting ? reader.size : 0;
    return keptOf(this.state);
  }

  /** Bytes that have come and are not read; in push form as {@link incomplete} has it. */
  get unread(): number {
    return this.#extra?.reader?.size ?? keptOf(this.state);
  }

  /** What has come and is not read, with the reader left empty. */
  takeUnread(): Uint8Array[] {
    return this.#extra?.reader?.takeAll() ?? [];
  }

  /** Whether a read waits for what comes. */
  get isRead(): boolean {
    return this.#extra?.reader?.waiting ?? false;
  }

  /** Whether what it was given last has not led to the next read yet. */
  get isAtWork(): boolean {
    return this.#extra?.reader?.waiting === false;
  }

  /** Whether all was read, and nothing more will come; so it is where nobody reads. */
  get readToEnd(): boolean {
    return this.#extra?.reader?.exhausted ?? true;
  }

  /** Ends the pull side, if there is one. @param error made for it: an error with a stack costs as much as a write. */
  closeReader(error?: () => unknown): void {
    this.#extra?.reader?.close(error?.());
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

  frames<Value>(codec: Codec<Value>): AsyncIterableIterator<Value> {
    checkCodec("frames(codec)", codec);
    return this.reader.frames(codec);
  }

  read<Value>(codec: Codec<Value>, options?: ReadOptions): Promise<Value | undefined> {
    checkCodec("read(codec, options)", codec);
    return this.reader.read(codec, options);
  }

  private get extra(): Extra {
    return this.#extra ??= {
      log: undefined,
      controller: undefined,
      reader: undefined,
      closed: undefined,
      ruleOptions: undefined,
      serverName: undefined,
    };
  }
}
