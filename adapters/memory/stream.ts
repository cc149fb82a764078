/** Streams in memory: queues of chunks, and the flags of two ends. */
import type { Connection, Listener, StreamTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { TlsContext, TlsInfo } from "../../runtime/core/tls.ts";
import type { Layer } from "../layer.ts";

/** A write above this many unread bytes returns false. */
const HIGH_WATER = 64 * 1024;

/**
 * Rounds of the event loop until a peer that reads has read. Whoever waits for nothing to happen takes a few rounds
 * of silence for that: there are more between two reads, however long a round takes.
 */
const ROUNDS = 8;

/** What is called back next: all together, or many peers would leave no silence between them. */
let waiting: (() => void)[] = [];

// That of the real event loop, whatever a test puts in its place later.
const { setImmediate } = globalThis;

/** Calls back in a later round of the event loop. */
export function later(callback: () => void): void {
  waiting.push(callback);
  if (waiting.length === 1) wait(ROUNDS);
}

function wait(rounds: number): void {
  setImmediate(() => {
    if (rounds > 1) return wait(rounds - 1);
    const due = waiting;
    waiting = [];
    for (const callback of due) callback();
  });
}

/** The server's end. What it does is seen by the {@link MemoryPeer} at once, what the peer does a turn later. */
class MemoryConnection implements Connection {
  data: unknown;
  readonly remote: Address;
  readonly local: Address;
  table: StreamTable;
  readonly peer: MemoryPeer;
  /** What the peer has sent and the core has not seen. */
  readonly incoming: Uint8Array[] = [];
  pending = 0;
  paused = false;
  peerEnded = false;
  endSeen = false;
  writeEnded = false;
  blocked = false;
  closed = false;
  failure: PorticoError | undefined = undefined;
  /** While a handshake is under way; what it has come to. */
  securing: TlsContext | undefined = undefined;
  tls: TlsInfo | undefined = undefined;
  #scheduled = false;
  #draining = false;

  constructor(
    peer: MemoryPeer,
    table: StreamTable,
    local: Address,
    remote: Address,
    data: unknown,
  ) {
    this.peer = peer;
    this.table = table;
    this.local = local;
    this.remote = remote;
    this.data = data;
  }

  write(bytes: Uint8Array): boolean {
    if (this.writeEnded) return true;
    this.peer.unread.push(new Uint8Array(bytes));
    this.pending += bytes.length;
    if (this.peer.reading) this.schedule();
    if (this.pending <= HIGH_WATER) return true;
    this.blocked = true;
    return false;
  }

  pause(): void {
    this.paused = true;
    this.peer.other?.read(false);
  }

  resume(): void {
    this.paused = false;
    this.peer.other?.read(true);
    this.schedule();
  }

  end(): void {
    this.writeEnded = true;
    this.schedule();
  }

  /** The peer says what it comes to: {@link MemoryPeer.secure}. It has the place of itself. */
  secure(context: TlsContext): Connection {
    if ("over" in context) {
      return (context as Layer).over(this, this.table, (table) => this.table = table);
    }
    this.securing = context;
    this.paused = false;
    this.peer.changed();
    return this;
  }

  /** The handshake is done. */
  secured(info: TlsInfo): void {
    if (this.closed || this.securing === undefined) return;
    this.securing = undefined;
    this.tls = info;
    this.table.secured?.(this);
    this.schedule();
  }

  abort(quiet = false): void {
    if (this.writeEnded && this.closed) return;
    this.peer.unread.length = 0;
    this.pending = 0;
    this.writeEnded = true;
    this.peer.wasReset = !quiet;
    this.peer.over = true;
    this.endSeen = this.peerEnded = true;
    this.incoming.length = 0;
    if (quiet) this.peer.other?.end();
    else this.peer.other?.reset();
    this.schedule();
  }

  /** Moves on what can be moved, a turn later: no callback runs inside a verb. */
  schedule(): void {
    if (this.#scheduled || this.closed) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.closed) return;
    this.#deliver();
    if (this.securing !== undefined && this.failure === undefined && !this.writeEnded) return;
    while (!this.paused && this.incoming.length > 0 && !this.closed) {
      this.table.data(this, this.incoming.shift()!);
    }
    if (!this.paused && this.incoming.length === 0 && this.peerEnded && !this.endSeen) {
      this.endSeen = true;
      this.table.end(this);
    }
    this.#deliver();
    const over = this.writeEnded && this.endSeen && this.pending === 0;
    if (this.failure === undefined && !over) return this.peer.changed();
    this.closed = this.writeEnded = true;
    this.pending = 0;
    this.peer.over = this.peer.closed = true;
    this.table.close(this, this.failure);
    this.peer.changed();
  }

  /** What was written reaches the peer, if it reads. */
  #deliver(): void {
    if (!this.peer.reading) return;
    const { other, unread } = this.peer;
    if (other === undefined) this.peer.received.push(...unread.splice(0));
    else for (const chunk of unread.splice(0)) other.write(chunk);
    this.pending = 0;
    if (this.writeEnded && !this.peer.over) {
      this.peer.over = true;
      other?.end();
    }
    if (!this.blocked || this.#draining) return;
    this.#draining = true;
    later(() => this.#drained());
  }

  /** A round of the event loop later: who always has more to write lets others come. */
  #drained(): void {
    this.#draining = false;
    if (this.closed || this.pending > 0 || !this.blocked) return;
    this.blocked = false;
    this.table.drain(this);
  }
}

/** The client's end of a stream. */
export class MemoryPeer {
  /** What the server has sent, as it was written. */
  readonly received: Uint8Array[] = [];
  /** What it has sent while this peer did not read. */
  readonly unread: Uint8Array[] = [];
  /** False: the peer leaves what it is sent in the server's hands. */
  reading = true;
  /** The server will send no more. */
  over = false;
  /** The server has aborted the connection. */
  wasReset = false;
  /** Nothing is left of the connection, on either side. */
  closed = false;
  /** Is called whenever something may have come, or ended. */
  changed: () => void = () => {};
  /** What this end is connected to, where that is a table as well: it is told everything. */
  other: MemoryPeer | undefined = undefined;
  readonly #connection: MemoryConnection;

  /** @param data for the slot of the server's connection. */
  constructor(table: StreamTable, local: Address, remote: Address, data?: unknown) {
    this.#connection = new MemoryConnection(this, table, local, remote, data);
  }

  /** Begins: the server's table hears of it. */
  open(): this {
    const connection = this.#connection;
    connection.table.open(connection);
    connection.schedule();
    return this;
  }

  /** Sends bytes, copied. */
  write(bytes: Uint8Array | string): void {
    const chunk = typeof bytes === "string"
      ? new TextEncoder().encode(bytes)
      : new Uint8Array(bytes);
    this.#connection.incoming.push(chunk);
    this.#connection.schedule();
  }

  /** With what it is asked to begin TLS; undefined while it is not. */
  get asked(): TlsContext | undefined {
    return this.#connection.securing;
  }

  /** Does its part of the handshake; there is none where nobody has begun it. */
  secure(info: Partial<TlsInfo> = {}): void {
    const whole = {
      version: "TLSv1.3",
      cipher: "TLS_AES_128_GCM_SHA256",
      resumed: false,
      authorized: false,
      ...info,
    };
    queueMicrotask(() => this.#connection.secured(whole));
  }

  /** Does it wrong. */
  failHandshake(why: string): void {
    this.#connection.failure ??= new PorticoError("TLS_FAILED", `the TLS handshake failed: ${why}`);
    this.#connection.schedule();
  }

  /** Will send no more. */
  end(): void {
    this.#connection.peerEnded = true;
    this.#connection.schedule();
  }

  /** Resets the connection. */
  reset(): void {
    this.#connection.failure ??= new PorticoError("ECONNRESET");
    this.#connection.schedule();
  }

  /** Reads, or stops to. */
  read(reading: boolean): void {
    this.reading = reading;
    this.#connection.schedule();
  }

  /** All that was received, as one text. */
  text(): string {
    return this.received.map((chunk) => new TextDecoder().decode(chunk)).join("");
  }
}

/** A listener without a port. */
export class MemoryListener implements Listener {
  readonly address: Address;
  readonly #table: StreamTable;
  readonly #closed: () => void;

  constructor(address: Address, table: StreamTable, closed: () => void) {
    this.address = address;
    this.#table = table;
    this.#closed = closed;
  }

  /** Connects a peer with the address `remote`. */
  peer(remote: Address): MemoryPeer {
    return new MemoryPeer(this.#table, this.address, remote).open();
  }

  /** Connects a table of callbacks with the address `local`. */
  connect(local: Address, table: StreamTable, data: unknown): void {
    const mine = new MemoryPeer(table, local, this.address, data);
    const theirs = new MemoryPeer(this.#table, this.address, local);
    mine.other = theirs;
    theirs.other = mine;
    mine.open();
    theirs.open();
  }

  duplicate(): Promise<number> {
    return Promise.reject(new PorticoError("NOT_SUPPORTED", "there is no descriptor in memory"));
  }

  close(): Promise<void> {
    this.#closed();
    return Promise.resolve();
  }
}
