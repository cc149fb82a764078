/**
 * One connection of `Bun.listen` or `Bun.connect`. How it differs from what the contract wants:
 *
 * - `write` may take a part; the rest is lost unless it is kept, which is done here;
 * - `end()` closes both ways: half-close is `shutdown()`, after which the peer's end comes as `close`
 *   alone;
 * - `close` is called from inside `terminate()`, `close()` and `shutdown()`: here it waits for the end
 *   of the verb;
 * - a reset pushes out what was held back by `pause()`;
 * - host and port of the peer are a system call each: `posix/peer.ts` makes one of both;
 * - each chunk is a buffer of its own, of up to 512 KiB. A large one that nobody keeps is freed as soon
 *   as it has gone out: the collector comes late, and each new one costs page faults meanwhile.
 */
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import type { Address, Transport } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { toPorticoError } from "../../runtime/core/errors.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import { ipAddress, isWildcard, UNNAMED_UNIX } from "../addresses.ts";
import { chunkOf } from "../chunk.ts";
import type { Layer } from "../layer.ts";
import type { PeerOf } from "../posix/peer.ts";
import { dropBytes } from "../dropped.ts";
import { layers } from "./layers.ts";

/** A write that leaves more than this unsent returns false. */
const HIGH_WATER = 64 * 1024;
/** A chunk of so many bytes is worth freeing. */
const LARGE = 64 * 1024;

/** The chunk that is with the core at this moment, if it is to be freed; who is still sending it. */
let lent: ArrayBuffer | undefined = undefined;
let sender: BunConnection | undefined = undefined;
/** More than one sends it. */
let shared = false;

/** What follows `open`, of every connection: each finds its own in `socket.data`. */
export const EVENTS: Omit<Bun.SocketHandler<BunConnection>, "open"> = {
  data: (socket, chunk) => socket.data.received(chunk),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.peerEnded(),
  close: (socket, error) =>
    socket.data.closed(error == null ? undefined : toPorticoError(error, "ECONNRESET", "peer")),
  // The core catches what plugins throw: this is about the socket, and `close` follows.
  error: () => {},
};

/** What all connections of one listener share. */
export interface Context {
  readonly table: StreamTable;
  readonly noDelay: boolean;
  bound: Address;
}

// The state of a connection, in one small number.
const PAUSED = 1;
/** `write` returned false: `drain` is owed. */
const BLOCKED = 2;
/** Our end is wanted, and follows what is pending; it is sent. */
const ENDING = 4;
const SHUT = 8;
/** The core has seen the peer's end. */
const PEER_ENDED = 16;
const ABORTED = 32;
const CLOSED = 64;
/** Inside a verb: callbacks have to wait. */
const BUSY = 128;

/** Hears of a connection that is one no more. */
export const NOBODY: StreamTable = {
  open() {},
  data() {},
  drain() {},
  end() {},
  close() {},
  failure() {},
};

/** So many peers are asked of the runtime first: who wants to know few does without libc. */
const FEW = 256;
let asked = 0;
let peerOf: PeerOf | undefined = undefined;

async function learnPeers(): Promise<void> {
  try {
    peerOf = await (await import("../posix/peer.ts")).openPeers();
  } catch {
    // The runtime tells as before.
  }
}

const GONE = { table: NOBODY } as unknown as Context;

export class BunConnection implements Connection {
  data: unknown;
  readonly socket: Bun.Socket<BunConnection>;
  context: Context;
  pending = 0;
  /** What the kernel did not take, and what came while it was paused. */
  #rest: Uint8Array[] | undefined = undefined;
  #stash: Uint8Array[] | undefined = undefined;
  /** A chunk of ours that is to be freed when nothing of {@link #rest} is left. */
  #out: ArrayBuffer | undefined = undefined;
  #remote: Address | undefined;
  #state = 0;

  /** @param remote when it is known already. */
  constructor(
    socket: Bun.Socket<BunConnection>,
    context: Context,
    remote?: Address,
    data?: unknown,
  ) {
    this.socket = socket;
    this.context = context;
    this.#remote = remote;
    this.data = data;
  }

  get remote(): Address {
    const { transport } = this.context.bound;
    return this.#remote ??= transport === "unix" ? UNNAMED_UNIX : this.#known(transport) ??
      ipAddress(transport, this.socket.remoteAddress, this.socket.remotePort);
  }

  #known(transport: Transport): Address | undefined {
    if (peerOf === undefined) {
      if (++asked === FEW) void learnPeers();
      return undefined;
    }
    const { fd } = this.socket as unknown as { readonly fd?: number };
    if (fd === undefined || fd < 0 || (this.#state & (ABORTED | CLOSED)) !== 0) return undefined;
    return peerOf(fd, transport);
  }

  get local(): Address {
    const { bound } = this.context;
    if (!isWildcard(bound)) return bound;
    const { localAddress } = this.socket;
    // Of one that has gone it is not known any more.
    if (!localAddress) return bound;
    const local = ipAddress(bound.transport, localAddress, bound.port);
    this.context = { ...this.context, bound: local };
    return local;
  }

  write(bytes: Uint8Array): boolean {
    if ((this.#state & (ENDING | ABORTED | CLOSED)) !== 0) return true;
    if (this.#rest !== undefined) {
      this.#rest.push(bytes);
      this.pending += bytes.length;
    } else {
      const taken = this.socket.write(bytes);
      if (taken === bytes.length) return true;
      if (taken < 0) {
        // The peer has gone, and `close` is on its way.
        this.pending += bytes.length;
        return true;
      }
      this.#rest = [bytes.subarray(taken)];
      this.pending = bytes.length - taken;
    }
    if (lent !== undefined && bytes.buffer === lent) {
      if (sender !== undefined && sender !== this) shared = true;
      sender = this;
    }
    if (this.pending <= HIGH_WATER) return true;
    this.#state |= BLOCKED;
    return false;
  }

  pause(): void {
    this.#state |= PAUSED;
    this.socket.pause();
  }

  resume(): void {
    this.#state &= ~PAUSED;
    if (this.#stash !== undefined) queueMicrotask(() => this.#unstash());
    this.socket.resume();
  }

  end(): void {
    if ((this.#state & (ENDING | ABORTED | CLOSED)) !== 0) return;
    this.#state |= ENDING;
    if (this.#rest === undefined) this.#shutdown();
  }

  abort(quiet = false): void {
    if ((this.#state & (ABORTED | CLOSED)) !== 0) return;
    this.#state |= ABORTED | BUSY;
    this.#drop();
    if (quiet) this.socket.close();
    else this.socket.terminate();
    this.#state &= ~BUSY;
  }

  secure(context: TlsContext): Connection {
    const idle = this.#rest === undefined && this.#stash === undefined;
    const made = idle ? layers.secure?.(this, context) : undefined;
    if (made !== undefined) return made;
    const { table } = this.context;
    const redirect = (table: StreamTable): void => void (this.context = { ...this.context, table });
    return (context as Layer).over(this, table, redirect);
  }

  /** Another has its place, over the same socket: what is told of it from now on is nobody's, and it reads. */
  replaced(): void {
    const paused = (this.#state & PAUSED) !== 0;
    this.#state = ABORTED;
    this.context = GONE;
    if (paused) this.socket.resume();
  }

  /** From the runtime: there is room again. It also comes unasked. */
  drained(): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    while (rest.length > 0) {
      const bytes = rest[0]!;
      const taken = this.socket.write(bytes);
      if (taken < 0) return;
      this.pending -= taken;
      if (taken < bytes.length) {
        rest[0] = bytes.subarray(taken);
        return;
      }
      rest.shift();
    }
    this.#rest = undefined;
    const out = this.#out;
    this.#out = undefined;
    if (out !== undefined) free(out);
    if ((this.#state & ENDING) !== 0) return this.#shutdown();
    if ((this.#state & BLOCKED) === 0) return;
    this.#state &= ~BLOCKED;
    this.context.table.drain(this);
  }

  /** From the runtime: bytes. A reset pushes them out even while it is paused. */
  received(chunk: Uint8Array): void {
    if ((this.#state & ABORTED) !== 0) {
      if (chunk.length >= LARGE) free(chunk.buffer as ArrayBuffer);
    } else if ((this.#state & PAUSED) !== 0) (this.#stash ??= []).push(chunk);
    else if (chunk.length < LARGE) this.context.table.data(this, chunk);
    else this.#lend(chunk);
  }

  #lend(chunk: Uint8Array): void {
    const buffer = lent = chunk.buffer as ArrayBuffer;
    const view = chunkOf(chunk as Uint8Array<ArrayBuffer>, chunk.length);
    const kept = this.context.table.data(this, view) === true;
    const last = sender;
    const given = kept || shared || buffer.byteLength !== chunk.length;
    lent = sender = undefined;
    shared = false;
    if (given) return;
    if (last === undefined) free(buffer);
    // One at a time is waited for; the collector takes what comes between.
    else last.#out ??= buffer;
  }

  peerEnded(): void {
    if ((this.#state & (PEER_ENDED | ABORTED)) !== 0) return;
    this.#state |= PEER_ENDED;
    this.context.table.end(this);
  }

  closed(error: PorticoError | undefined): void {
    if ((this.#state & BUSY) !== 0) return queueMicrotask(() => this.closed(error));
    if ((this.#state & CLOSED) !== 0) return;
    // When our side is shut the peer's end is not told apart from the close.
    if (error === undefined && (this.#state & SHUT) !== 0) this.peerEnded();
    this.#state |= CLOSED;
    this.#drop();
    this.context.table.close(this, error);
  }

  /** Nothing goes out any more. */
  #drop(): void {
    if (this.pending > 0) dropBytes(this.pending);
    this.#rest = this.#stash = this.#out = undefined;
    this.pending = 0;
  }

  #unstash(): void {
    const stash = this.#stash;
    this.#stash = undefined;
    for (const chunk of stash ?? []) this.received(chunk);
  }

  #shutdown(): void {
    this.#state |= SHUT | BUSY;
    this.socket.shutdown();
    this.#state &= ~BUSY;
  }
}

/** Its bytes are nobody's any more: whoever looks at them finds none. */
function free(buffer: ArrayBuffer): void {
  buffer.transfer(0);
}
