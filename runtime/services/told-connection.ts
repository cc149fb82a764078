/** A connection of which a balancer has told whom it is for: the runtime's, with other addresses. */
import type { Connection, StreamTable } from "../core/contract.ts";
import type { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { Told } from "../core/prologue/via.ts";
import type { TlsContext, TlsInfo } from "../core/tls.ts";

/** Its header is waited for; its bytes are the pipeline's; nothing is left of it. */
type Phase = "waiting" | "open" | "over";

export class ToldConnection implements Connection {
  data: unknown = undefined;
  phase: Phase = "waiting";
  /** What has come of its header. */
  head: Uint8Array | undefined = undefined;
  readonly since: number;
  /** May say whom it comes for. */
  readonly trusted: boolean;
  readonly #table: StreamTable;
  #inner: Connection;
  #told: Told | undefined = undefined;
  #paused = false;
  // What was said behind the header, and that it was all, until the pipeline reads.
  #rest: Uint8Array | undefined = undefined;
  #ended = false;
  #scheduled = false;

  constructor(inner: Connection, table: StreamTable, trusted: boolean, since: number) {
    this.#inner = inner;
    this.#table = table;
    this.trusted = trusted;
    this.since = since;
    inner.data = this;
  }

  get remote(): Address {
    return this.#told?.remote ?? this.#inner.remote;
  }

  get local(): Address {
    return this.#told?.local ?? this.#inner.local;
  }

  get pending(): number {
    return this.#inner.pending;
  }

  get unsent(): number {
    return this.#inner.unsent ?? this.#inner.pending;
  }

  get tls(): TlsInfo | undefined {
    return this.#inner.tls;
  }

  write(bytes: Uint8Array): boolean {
    return this.#inner.write(bytes);
  }

  pause(): void {
    this.#paused = true;
    this.#inner.pause();
  }

  /** What is held is told first, in a turn of its own: no callback runs inside a verb. */
  resume(): void {
    this.#paused = false;
    if (this.#rest === undefined && !this.#ended) return this.#inner.resume();
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  end(): void {
    this.#inner.end();
  }

  abort(quiet?: boolean): void {
    this.#rest = undefined;
    this.#ended = false;
    this.#inner.abort(quiet);
  }

  secure(context: TlsContext): Connection {
    if (this.#inner.secure === undefined) throw new PorticoError("NOT_SUPPORTED");
    if (this.#rest !== undefined) {
      throw new PorticoError("PROTOCOL_ERROR", "bytes in clear before the handshake");
    }
    this.#inner = this.#inner.secure(context);
    return this;
  }

  /**
   * It is the pipeline's from here on.
   *
   * @param told absent: it is its own.
   * @param rest what it has said already.
   * @param lent `rest` is the adapter's.
   * @returns as {@link StreamTable.data} does.
   */
  open(told: Told | undefined, rest: Uint8Array | undefined, lent: boolean): boolean | void {
    this.phase = "open";
    this.head = undefined;
    this.#told = told;
    this.#rest = rest?.length === 0 ? undefined : rest;
    this.#table.open(this);
    if (this.#rest === undefined) return false;
    if (this.#paused) {
      if (lent) this.#rest = new Uint8Array(this.#rest);
      return false;
    }
    const said = this.#rest;
    this.#rest = undefined;
    return this.#table.data(this, said);
  }

  /** The peer will send no more. */
  ended(): void {
    if (this.#paused || this.#rest !== undefined) this.#ended = true;
    else this.#table.end(this);
  }

  closed(error: PorticoError | undefined): void {
    this.phase = "over";
    this.#rest = undefined;
    this.#table.close(this, error);
  }

  #deliver(): void {
    if (this.#silent) return;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#table.data(this, rest);
    if (this.#silent) return;
    if (this.#ended) {
      this.#ended = false;
      this.#table.end(this);
    }
    if (!this.#silent) this.#inner.resume();
  }

  /** Nobody is to be told anything. */
  get #silent(): boolean {
    return this.#paused || this.phase === "over";
  }
}
