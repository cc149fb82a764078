/**
 * `limits.bytesPerSecond` and `limits.bytes` of streams: a connection around that of the adapter, by the
 * same contract, which the session takes for one. Services without these limits have none of it.
 */
import type { Connection, StreamTable } from "../contract.ts";
import type { Address } from "../endpoint.ts";
import { PorticoError } from "../errors.ts";
import type { Limits } from "../plan.ts";
import type { TlsContext, TlsInfo } from "../tls.ts";
import { ByteBucket } from "./bucket.ts";
import { join } from "../stream/gather.ts";
import type { Throttle, Throttled } from "./throttle.ts";

/** Above so many bytes that wait to be sent `write` says false, as an adapter's does. */
const HIGH_WATER = 64 * 1024;
/** How long what was written has to go out when nothing moves, once `limits.bytes` has struck; in ms. */
const LINGER = 5000;

/** The limits of one service, and who is told of what they come to. */
export interface Meter {
  readonly limits: Pick<Limits, "bytesPerSecond" | "bytes">;
  readonly throttle: Throttle;
  /** What had to wait has been sent. */
  moved(connection: Connection): void;
  /** The session is to end: more has come, or was written, than `limits.bytes`; `unsent` is not sent. */
  exceeded(connection: Connection, unsent: number): void;
}

/** The same table, for connections that are metered. */
export function meteredTable(table: StreamTable, meter: Meter): StreamTable {
  return {
    open(inner) {
      const outer = new MeteredConnection(inner, table, meter);
      inner.data = outer;
      table.open(outer);
    },
    data: (inner, chunk) => (inner.data as MeteredConnection).receive(chunk),
    drain: (inner) => (inner.data as MeteredConnection).drained(),
    end: (inner) => (inner.data as MeteredConnection).ended(),
    close: (inner, error) => (inner.data as MeteredConnection).closed(error),
    secured: (inner) => (inner.data as MeteredConnection).secured(),
    failure: (error) => table.failure(error),
  };
}

class MeteredConnection implements Connection, Throttled {
  data: unknown;
  #inner: Connection;
  readonly #table: StreamTable;
  readonly #meter: Meter;
  // What comes: how quick, how many bytes more; what has come too early; whether the session reads.
  readonly #in: ByteBucket | undefined;
  #leftIn: number;
  #early: Uint8Array | undefined = undefined;
  #paused = false;
  /** More has come than may come: the session ends when it has had what may. */
  #excess = false;
  // What goes.
  readonly #out: ByteBucket | undefined;
  #leftOut: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** `write` has said false; that of the adapter has. */
  #full = false;
  #busy = false;
  #ending = false;
  /** TLS begins when what was written before has gone out. */
  #tls: TlsContext | undefined = undefined;
  // The end.
  #spent = false;
  #over = false;
  /** Since when nothing has moved, while what was written goes out at the end. */
  #still: number | undefined = undefined;

  constructor(inner: Connection, table: StreamTable, meter: Meter) {
    const { limits: { bytesPerSecond, bytes }, throttle } = meter;
    const now = throttle.clock.now();
    this.data = inner.data;
    this.#inner = inner;
    this.#table = table;
    this.#meter = meter;
    this.#in = bytesPerSecond?.in && new ByteBucket(bytesPerSecond.in, now);
    this.#out = bytesPerSecond?.out && new ByteBucket(bytesPerSecond.out, now);
    this.#leftIn = bytes?.in ?? Infinity;
    this.#leftOut = bytes?.out ?? Infinity;
  }

  get remote(): Address {
    return this.#inner.remote;
  }

  get local(): Address {
    return this.#inner.local;
  }

  get pending(): number {
    return this.#heldBytes + this.#inner.pending;
  }

  // What comes.

  receive(chunk: Uint8Array): boolean {
    if (this.#spent) return false;
    let bytes = chunk;
    if (chunk.length > this.#leftIn) {
      bytes = chunk.subarray(0, this.#leftIn);
      this.#excess = true;
    }
    this.#leftIn -= bytes.length;
    const now = this.#in && this.#now;
    const room = this.#in?.room(now!, false) ?? Infinity;
    if (bytes.length > room) {
      this.#early = bytes.slice(room);
      bytes = bytes.subarray(0, room);
      this.#inner.pause();
      this.#meter.throttle.add(this);
    }
    this.#in?.take(bytes.length);
    const kept = bytes.length > 0 && this.#table.data(this, bytes) === true;
    if (this.#excess && this.#early === undefined) this.#exceed(0);
    return kept;
  }

  pause(): void {
    this.#paused = true;
    this.#inner.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#early === undefined) return this.#inner.resume();
    // Nobody has waited meanwhile; and no callback runs inside of this.
    this.#in!.room(this.#now, false);
    this.#meter.throttle.add(this);
  }

  ended(): void {
    if (!this.#spent) this.#table.end(this);
  }

  #deliver(now: number): void {
    const early = this.#early!;
    const room = this.#in!.room(now, true);
    if (room < Math.min(early.length, this.#in!.portion)) return;
    const count = Math.min(room, early.length);
    this.#early = count === early.length ? undefined : early.subarray(count);
    this.#in!.take(count);
    // Whoever is given it may keep it, and give it away.
    this.#table.data(this, this.#early === undefined ? early : early.slice(0, count));
    if (this.#early !== undefined || this.#over) return;
    if (this.#excess) this.#exceed(0);
    else if (!this.#paused) this.#inner.resume();
  }

  // What goes.

  write(data: Uint8Array): boolean {
    if (this.#ending || this.#over) return true;
    const bytes = data.length > this.#leftOut ? data.subarray(0, this.#leftOut) : data;
    this.#leftOut -= bytes.length;
    if (bytes.length > 0) this.#send(bytes);
    if (bytes.length < data.length) {
      this.#exceed(data.length - bytes.length);
      return true;
    }
    if (this.#busy || this.#heldBytes > 0 && this.pending > HIGH_WATER) this.#full = true;
    return !this.#full;
  }

  #send(bytes: Uint8Array): void {
    const room = this.#heldBytes > 0 ? 0 : this.#out?.room(this.#now, false) ?? Infinity;
    const count = Math.min(room, bytes.length);
    if (count > 0) this.#pass(count === bytes.length ? bytes : bytes.subarray(0, count));
    if (count === bytes.length) return;
    // It may be part of a chunk that is lent.
    const held = bytes.slice(count);
    this.#held.push(held);
    this.#heldBytes += held.length;
    this.#meter.throttle.add(this);
  }

  #pass(bytes: Uint8Array): void {
    this.#out?.take(bytes.length);
    if (!this.#inner.write(bytes)) this.#busy = true;
  }

  /** The adapter has room again. What waits for its rate has not waited for it meanwhile. */
  drained(): void {
    this.#busy = false;
    if (this.#still !== undefined) this.#still = this.#now;
    if (this.#heldBytes === 0) return this.#goOn();
    this.#out!.room(this.#now, false);
    this.#meter.throttle.add(this);
  }

  #goOn(): void {
    if (!this.#full || this.#busy) return;
    this.#full = false;
    if (!this.#spent) this.#table.drain(this);
  }

  #let(now: number): void {
    const room = this.#out!.room(now, true);
    if (room < Math.min(this.#heldBytes, this.#out!.portion)) return;
    const count = Math.min(room, this.#heldBytes);
    this.#pass(this.#takeHeld(count));
    if (this.#still !== undefined) this.#still = now;
    this.#meter.moved(this);
    if (this.#heldBytes > 0) return;
    if (this.#tls !== undefined) this.#secure();
    else if (this.#ending) this.#inner.end();
    else this.#goOn();
  }

  #takeHeld(count: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    let left = count;
    let at = 0;
    while (left > 0) {
      const piece = this.#held[at]!;
      if (piece.length > left) {
        pieces.push(piece.subarray(0, left));
        this.#held[at] = piece.subarray(left);
        break;
      }
      pieces.push(piece);
      left -= piece.length;
      at++;
    }
    this.#held.splice(0, at);
    this.#heldBytes -= count;
    const [first, ...more] = pieces;
    return more.length === 0 ? first! : join(first!, more, count);
  }

  /** The limits are about what goes through TLS: this one stays, and has another one inside. */
  secure(context: TlsContext): Connection {
    if (this.#inner.secure === undefined) throw new PorticoError("NOT_SUPPORTED");
    if (this.#early !== undefined) throw new PorticoError("TLS_INJECTION");
    this.#tls = context;
    if (this.#heldBytes === 0) this.#secure();
    return this;
  }

  #secure(): void {
    this.#inner = this.#inner.secure!(this.#tls!);
    this.#tls = undefined;
    this.#paused = this.#busy = this.#full = false;
  }

  secured(): void {
    if (!this.#spent) this.#table.secured!(this);
  }

  get tls(): TlsInfo | undefined {
    return this.#inner.tls;
  }

  end(): void {
    if (this.#ending || this.#over) return;
    this.#ending = true;
    if (this.#heldBytes === 0) this.#inner.end();
  }

  // Time passes.

  release(now: number): boolean {
    if (this.#heldBytes > 0 && !this.#busy) this.#let(now);
    if (this.#early !== undefined && !this.#paused) this.#deliver(now);
    if (this.#still !== undefined && now - this.#still > LINGER) this.abort(true);
    if (this.#over) return false;
    return this.#still !== undefined || this.#heldBytes > 0 && !this.#busy ||
      this.#early !== undefined && !this.#paused;
  }

  get #now(): number {
    return this.#meter.throttle.clock.now();
  }

  // The end.

  #exceed(unsent: number): void {
    if (this.#spent) return;
    this.#spent = true;
    this.#meter.exceeded(this, unsent);
  }

  /**
   * When `limits.bytes` has struck, what was written goes out first, and what still comes is dropped: a
   * reset could take with it what the peer has not read.
   */
  abort(quiet?: boolean): void {
    if (this.#over) return;
    if (this.#spent && this.#still === undefined) {
      this.#still = this.#now;
      this.#early = undefined;
      this.#meter.throttle.add(this);
      this.end();
      return this.#inner.resume();
    }
    this.#leave();
    this.#inner.abort(quiet);
  }

  closed(error: PorticoError | undefined): void {
    this.#leave();
    this.#table.close(this, error);
  }

  #leave(): void {
    this.#over = true;
    this.#early = undefined;
    this.#held = [];
    this.#heldBytes = 0;
    this.#meter.throttle.remove(this);
  }
}
