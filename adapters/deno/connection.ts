/**
 * One connection of `Deno.listen`. How it differs from what an event-driven runtime offers:
 *
 * - reading and writing are promises (see `transfer.ts`); a read is always under way unless the connection is paused;
 * - `read` fills a buffer that it is given, so chunks are lent. A quiet connection waits with a small
 *   buffer, a busy one with a large one; a buffer that is still being written is not read into;
 * - `write` may take a part: the rest is written again;
 * - there is no reset: `abort` is a close.
 */
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { toPorticoError } from "../../runtime/core/errors.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import { isWildcard, tcpAddress, UNNAMED_UNIX } from "../addresses.ts";
import type { Layer } from "../layer.ts";
import { BufferPool, ReadBuffer, SMALL } from "../read-buffer.ts";
import { dropBytes } from "../dropped.ts";
import { nextPoll } from "./poll.ts";
import { type Transfer, transferOf } from "./transfer.ts";

/** A write that leaves more than this unsent returns false. */
const HIGH_WATER = 64 * 1024;

/** Microtasks within which a write comes back whose bytes the kernel has taken at once. */
const HOPS = 3;

/** What all connections may read before the kernel is asked who else has something, in bytes; and have read. */
const SHARE = 512 * 1024;
let taken = 0;

const pool = new BufferPool((size) => new Uint8Array(size));

/** The buffer whose chunk is with the core at this moment. */
let lent: ArrayBufferLike | undefined = undefined;

/** What `Deno.listen` accepts. One with a swapped descriptor is of the second kind, whatever its socket. */
type Conn = Deno.TcpConn | Deno.UnixConn;

export class DenoConnection implements Connection {
  data: unknown;
  pending = 0;
  readonly #conn: Conn;
  readonly #transfer: Transfer;
  #table: StreamTable;
  readonly #bound: Address;
  #remote: Address | undefined;
  readonly #buffer: ReadBuffer<Uint8Array<ArrayBuffer>> = new ReadBuffer(pool, SMALL);
  /** What is being written, what follows, and the callbacks, which are made at the first write. */
  #writing: Uint8Array | undefined = undefined;
  #queue: Uint8Array[] | undefined = undefined;
  #onWritten: ((length: number) => void) | undefined = undefined;
  #onFailed: ((error: unknown) => void) | undefined = undefined;
  #unread: Uint8Array | undefined = undefined;
  #blocked = false;
  #paused = false;
  #wake: (() => void) | undefined = undefined;
  #ending = false;
  #shut = false;
  #peerEnded = false;
  #dead = false;

  /** @param remote when it is known already; then `bound` is our side's address. */
  constructor(conn: Conn, table: StreamTable, bound: Address, remote?: Address, data?: unknown) {
    this.#conn = conn;
    this.#transfer = transferOf(conn);
    this.#table = table;
    this.#bound = bound;
    this.#remote = remote;
    this.data = data;
  }

  /** Gives the connection to the core, then reads until it ends. */
  start(): void {
    this.#table.open(this);
    void this.#read();
  }

  get remote(): Address {
    return this.#remote ??= toAddress(this.#conn.remoteAddr);
  }

  get local(): Address {
    return isWildcard(this.#bound) ? toAddress(this.#conn.localAddr) : this.#bound;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ending || this.#dead) return true;
    const { buffer } = bytes;
    // A chunk that another connection reads into next: its reader cannot know that it is in use.
    const own = buffer === lent && buffer !== this.#buffer.current.buffer
      ? new Uint8Array(bytes)
      : bytes;
    this.pending += own.length;
    if (this.#writing === undefined) this.#send(own);
    else if (this.#queue === undefined) this.#queue = [own];
    else this.#queue.push(own);
    if (this.pending <= HIGH_WATER) return true;
    this.#blocked = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wakeUp();
  }

  end(): void {
    if (this.#ending || this.#dead) return;
    this.#ending = true;
    if (this.#writing === undefined) void this.#shutdown();
  }

  unread(bytes: Uint8Array): void {
    this.#unread = bytes;
  }

  secure(context: TlsContext): Connection {
    const made = (context as Layer).over(this, this.#table, (table) => this.#table = table);
    if (this.#peerEnded) this.#table.end(this);
    return made;
  }

  abort(): void {
    this.#die(undefined);
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        while (this.#isHeld) await this.#released();
        if (this.#dead) return;
        const read = this.#buffer.current;
        const length = await this.#transfer.read(read);
        while (this.#isHeld) await this.#released();
        if (this.#dead) return;
        if (!length) break;
        lent = read.buffer;
        const kept = this.#table.data(this, read.subarray(0, length)) === true;
        lent = undefined;
        // A write that was made of it is as good as done: a few microtasks save another buffer.
        for (let hop = 0; hop < HOPS && this.#writing !== undefined; hop++) await undefined;
        if (this.#dead) return;
        this.#buffer.advance(length, kept, this.#isWriting(read));
        if ((taken += length) >= SHARE) {
          await nextPoll();
          taken = 0;
        }
      }
      this.#peerEnded = true;
      this.#table.end(this);
      if (this.#shut) this.#die(undefined);
    } catch (error) {
      lent = undefined;
      this.#die(toPorticoError(error, "ECONNRESET", "peer"));
    }
  }

  /** Nobody is told yet of what is read: it is paused, or something was put back that comes first. */
  get #isHeld(): boolean {
    return !this.#dead && (this.#paused || this.#unread !== undefined);
  }

  /** Whoever goes on may stop, or put back, once more in the same turn: it is to be asked again. */
  #released(): Promise<void> | undefined {
    if (this.#paused) return new Promise((resolve) => this.#wake = resolve);
    const bytes = this.#unread!;
    this.#unread = undefined;
    this.#table.data(this, bytes);
    return undefined;
  }

  #isWriting({ buffer }: Uint8Array): boolean {
    return this.#writing?.buffer === buffer ||
      this.#queue?.some((bytes) => bytes.buffer === buffer) === true;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #send(bytes: Uint8Array): void {
    this.#writing = bytes;
    this.#onWritten ??= (length) => this.#written(length);
    this.#onFailed ??= (error) => this.#die(toPorticoError(error, "EPIPE", "peer"));
    this.#transfer.write(bytes).then(this.#onWritten, this.#onFailed);
  }

  #written(length: number): void {
    if (this.#dead) return;
    this.pending -= length;
    const bytes = this.#writing!;
    if (length < bytes.length) return this.#send(bytes.subarray(length));
    this.#writing = undefined;
    const queue = this.#queue;
    if (queue !== undefined) {
      const next = queue.shift()!;
      if (queue.length === 0) this.#queue = undefined;
      return this.#send(next);
    }
    this.#buffer.reclaim();
    if (this.#ending) return void this.#shutdown();
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#table.drain(this);
  }

  async #shutdown(): Promise<void> {
    try {
      await this.#conn.closeWrite();
    } catch {
      // The peer has gone: the read says how.
    }
    this.#shut = true;
    if (this.#peerEnded) this.#die(undefined);
  }

  #die(error: PorticoError | undefined): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#queue = undefined;
    if (this.pending > 0) dropBytes(this.pending);
    this.pending = 0;
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
    this.#wakeUp();
    // Not within a verb.
    queueMicrotask(() => this.#table.close(this, error));
  }
}

/** The peer may have gone already: the first read says so. */
export function setNoDelay(conn: Deno.TcpConn): void {
  try {
    conn.setNoDelay(true);
  } catch {
    // Nothing is lost.
  }
}

export function toAddress(address: Deno.NetAddr | Deno.UnixAddr): Address {
  return "hostname" in address ? tcpAddress(address.hostname, address.port) : UNNAMED_UNIX;
}
