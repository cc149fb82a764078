/**
 * A connection whose first bytes somebody looks at before it is known who serves it: the runtime's own, with what was
 * read of it held until then. Who serves it is told as if nothing had been read, and whom a balancer has told of, if one
 * has. To look costs no system call, and needs no descriptor.
 */
import type { Connection, StreamTable } from "../core/contract.ts";
import type { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { Told } from "../core/prologue/via.ts";
import type { TlsContext, TlsInfo } from "../core/tls.ts";
import type { Manner } from "./contract.ts";

/** It is looked at; somebody has it who opens it later; it is open; nobody is told of it any more. */
type Phase = "waiting" | "given" | "open" | "over";

const IN_CLEAR: Manner = { tls: false, unix: false };
const NOTHING = new Uint8Array(0);

export class HeldConnection implements Connection {
  data: unknown = undefined;
  /** How it comes to whoever serves it; said when that is known. */
  manner: Manner = IN_CLEAR;
  phase: Phase = "waiting";
  /** Since when it is waited for what it says, in ms of the clock. */
  since: number;
  /** Is told of it once it is open. */
  table: StreamTable | undefined = undefined;
  #inner: Connection;
  #told: Told | undefined = undefined;
  #paused = false;
  /** Nothing is read of the one below. */
  #halted = false;
  // What was said, that it was all, and that nothing is left of the one below, until that is told.
  #said: Uint8Array | undefined = undefined;
  #ended = false;
  #gone: { readonly error: PorticoError | undefined } | undefined = undefined;
  // The chunk that is with us at this moment is the adapter's; or was given away.
  #lent = false;
  #kept = false;
  #scheduled = false;

  constructor(inner: Connection, since: number) {
    this.#inner = inner;
    this.since = since;
    inner.data = this;
  }

  // For whoever looks.

  /** What it has said, and nobody was told of. */
  get said(): Uint8Array | undefined {
    return this.#said;
  }

  /** More has come. It is lent until {@link heard}. @returns all of it. */
  hear(chunk: Uint8Array): Uint8Array {
    this.#lent = this.#said === undefined;
    return this.#said = this.#said === undefined ? chunk : join(this.#said, chunk);
  }

  /** What is still held is ours from here on. @returns as {@link StreamTable.data} does. */
  heard(): boolean {
    if (this.#lent && this.#said !== undefined) this.#said = new Uint8Array(this.#said);
    const kept = this.#kept;
    this.#lent = this.#kept = false;
    return kept;
  }

  /** So many bytes of what it has said were not for whoever is told of the rest. */
  drop(length: number): void {
    const rest = this.#said!.subarray(length);
    this.#said = rest.length === 0 ? undefined : rest;
  }

  /**
   * Whoever has it from here on reads all of it, as if nothing had been read, where the one below can do that.
   *
   * @param above what came through here, and comes back.
   */
  unread(above?: Uint8Array): void {
    this.halt();
    if (above !== undefined) {
      this.#said = this.#said === undefined ? above : join(above, this.#said);
    }
    const said = this.#said;
    const over = this.#ended || this.#gone !== undefined;
    if (said === undefined || over || this.#inner.unread === undefined) return;
    this.#said = undefined;
    this.#kept ||= this.#lent;
    this.#inner.unread(said);
  }

  /** Reads no more until {@link proceed}, or until it is open. */
  halt(): void {
    this.#halted = true;
    if (this.#gone === undefined) this.#inner.pause();
  }

  proceed(): void {
    this.#halted = false;
    if (this.#gone === undefined) this.#inner.resume();
  }

  /** It is looked at no more: whoever has it now opens it later. */
  give(): void {
    this.phase = "given";
    this.unread();
  }

  /**
   * The adapter's own connection, with what was read put back, for whoever has it from here on: it is told of nobody
   * here any more. What cannot be put back is {@link last}.
   */
  release(): Connection {
    this.unread();
    this.phase = "over";
    const inner = this.#inner;
    return inner instanceof HeldConnection ? inner.release() : inner;
  }

  /** What it has said before its end, where that has come, and nobody was told of. */
  get last(): Uint8Array | undefined {
    return this.#ended ? this.#said ?? NOTHING : undefined;
  }

  /** Nothing is left of the one below; whoever opens it is told so. */
  lose(error: PorticoError | undefined): void {
    this.#gone = { error };
  }

  /**
   * It is that table's from here on, which is told what was held.
   *
   * @param told absent: it is its own.
   */
  open(table: StreamTable, told?: Told): void {
    this.phase = "open";
    this.table = table;
    this.#told = told;
    table.open(this);
    this.#deliver();
    if (this.#gone !== undefined) this.closed(this.#gone.error);
  }

  /** Nothing is left of the one below. */
  get lost(): boolean {
    return this.#gone !== undefined;
  }

  /** The peer will send no more; whoever has it, or opens it, is told so. */
  ended(): void {
    const held = this.table === undefined || this.#paused || this.#said !== undefined;
    if (held) this.#ended = true;
    else this.table!.end(this);
  }

  /** Nothing is left of the one below, and it is open. */
  closed(error: PorticoError | undefined): void {
    this.phase = "over";
    this.#said = undefined;
    this.table!.close(this, error);
  }

  // In its place.

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
    return this.#gone === undefined ? this.#inner.write(bytes) : true;
  }

  pause(): void {
    this.#paused = true;
    this.halt();
  }

  /** What is held is told first, in a turn of its own: no callback runs inside a verb. */
  resume(): void {
    this.#paused = false;
    if (this.#said === undefined && !this.#ended) return this.proceed();
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  end(): void {
    if (this.#gone === undefined) this.#inner.end();
  }

  abort(quiet?: boolean): void {
    this.#said = undefined;
    this.#ended = false;
    if (this.#gone === undefined) this.#inner.abort(quiet);
  }

  secure(context: TlsContext): Connection {
    if (this.#inner.secure === undefined) throw new PorticoError("NOT_SUPPORTED");
    if (this.#gone !== undefined) return this;
    this.unread();
    // What came with the peer's end is no whole handshake, of which the one below knows.
    if (this.#said !== undefined && !this.#ended) {
      throw new PorticoError("PROTOCOL_ERROR", "bytes in clear before the handshake");
    }
    this.#said = undefined;
    this.#paused = this.#halted = this.#ended = false;
    this.#inner = this.#inner.secure(context);
    return this;
  }

  #deliver(): void {
    if (this.#silent) return;
    const said = this.#said;
    this.#said = undefined;
    if (said !== undefined) this.#kept = this.table!.data(this, said) === true && this.#lent;
    if (this.#silent) return;
    if (this.#ended) {
      this.#ended = false;
      this.table!.end(this);
    }
    if (this.#halted && !this.#silent) this.proceed();
  }

  /** Nobody is to be told anything. */
  get #silent(): boolean {
    return this.#paused || this.phase === "over";
  }
}

/** Looks at connections, and opens them or turns them away. */
export interface Looker<One extends HeldConnection> {
  /** Makes one of what has come. */
  open(connection: Connection): void;
  /** @param all that it has said so far. */
  said(one: One, all: Uint8Array): void;
  /** It will say no more; of what it has said nobody was told yet. */
  ended(one: One): void;
  /** Nothing is left of it. */
  gone(one: One, error: PorticoError | undefined): void;
  failure(error: PorticoError): void;
}

/** What an adapter calls with the connections that somebody looks at. */
export function holding<One extends HeldConnection>(looker: Looker<One>): StreamTable {
  return {
    open: (connection) => looker.open(connection),
    data({ data }, chunk) {
      const one = data as One;
      if (one.phase === "open") return one.table!.data(one, chunk);
      if (one.phase !== "waiting") return false;
      looker.said(one, one.hear(chunk));
      return one.heard();
    },
    drain({ data }) {
      const one = data as One;
      if (one.phase === "open") one.table!.drain(one);
    },
    end({ data }) {
      const one = data as One;
      if (one.phase === "open") one.ended();
      else if (one.phase === "waiting") looker.ended(one);
    },
    close({ data }, error) {
      const one = data as One;
      if (one.phase === "open") return one.closed(error);
      one.lose(error);
      looker.gone(one, error);
    },
    secured({ data }) {
      const one = data as One;
      one.table?.secured?.(one);
    },
    failure: (error) => looker.failure(error),
  };
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
