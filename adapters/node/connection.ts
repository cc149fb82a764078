/**
 * One connection of `node:net`. Nothing is made for it but one object: the socket's events find it
 * by a property. One that has read a few chunks, which nobody has kept, reads into a buffer of ours
 * from then on, where that can be done: `own-reads.ts` says what for.
 */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { toPorticoError } from "../../runtime/core/errors.ts";
import { ipAddress, isWildcard, UNNAMED_UNIX } from "../addresses.ts";
import { chunkOf } from "../chunk.ts";
import type { SocketOwner } from "../http/connections.ts";
import type { Layer } from "../layer.ts";
import { LARGE, ReadBuffer, SMALL } from "../read-buffer.ts";
import { dropBytes } from "../dropped.ts";
import { queuedOf } from "./handle.ts";
import { canReadInto, pool, readInto, readNextInto } from "./own-reads.ts";

/** After this many chunks that nobody has kept, or a large one: a connection that is idle has no buffer. */
const BUSY = 4;

/** Whose buffer is with the core at this moment. */
let lender: NodeConnection | undefined = undefined;

/** Where a socket's events find its connection. */
const CONNECTION: unique symbol = Symbol("connection");

type OwnedSocket = Socket & { [CONNECTION]: NodeConnection };

export class NodeConnection implements Connection, SocketOwner {
  data: unknown;
  readonly socket: Socket;
  table: StreamTable;
  error: PorticoError | undefined = undefined;
  /** Another one has its place and its socket. */
  replaced = false;
  #bound: Address;
  #remote: Address | undefined;
  #pending = 0;
  /** Nothing is written any more. */
  #writeEnded = false;
  /** The peer's end came while reading was paused: Node tells it all the same. */
  #endHeld = false;
  /** Chunks in a row that nobody has kept, up to {@link BUSY}. */
  #chunks = 0;
  #buffer: ReadBuffer<Buffer<ArrayBuffer>> | undefined = undefined;
  /** What was read last is being sent, here; it is being used, elsewhere. */
  #writing = false;
  #kept = false;

  constructor(
    socket: Socket,
    table: StreamTable,
    bound: Address,
    remote?: Address,
    data?: unknown,
  ) {
    this.socket = socket;
    this.table = table;
    this.#bound = bound;
    this.#remote = remote;
    this.data = data;
  }

  get remote(): Address {
    const bound = this.#bound;
    return this.#remote ??= bound.transport === "unix"
      ? UNNAMED_UNIX
      : ipAddress(bound.transport, this.socket.remoteAddress, this.socket.remotePort);
  }

  get local(): Address {
    const bound = this.#bound;
    if (!isWildcard(bound)) return bound;
    const { localAddress } = this.socket;
    // Of one that has gone it is not known any more.
    if (!localAddress) return bound;
    return this.#bound = ipAddress(bound.transport, localAddress, bound.port);
  }

  /** When a write has failed Node counts all as written: until the close it is what was known before. */
  get pending(): number {
    const { socket } = this;
    if (!socket.destroyed && socket.errored === null) this.#pending = socket.writableLength;
    return this.#pending;
  }

  /** A write counts in {@link pending} until all of it has gone: what of it has is known below only. */
  get unsent(): number {
    const { socket } = this;
    const queued = queuedOf(socket);
    if (socket.destroyed || queued === undefined) return this.pending;
    return Math.min(this.pending, socket.bytesWritten - queued.dispatched + queued.size);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#writeEnded) return true;
    const { socket } = this;
    const room = socket.write(bytes);
    if (socket.errored !== null) this.#pending += bytes.length;
    else if (
      lender !== undefined && socket.writableLength > 0 &&
      bytes.buffer === lender.#buffer!.current.buffer
    ) {
      if (lender === this) this.#writing = true;
      else lender.#kept = true;
    }
    return room;
  }

  /** What comes all the same is held by Node, which stops reading when that is too much. */
  pause(): void {
    if (this.#buffer === undefined) this.socket.pause();
    else Duplex.prototype.pause.call(this.socket);
  }

  resume(): void {
    this.socket.resume();
    if (!this.#endHeld) return;
    this.#endHeld = false;
    queueMicrotask(() => this.ended());
  }

  /** From the runtime: a chunk in a buffer of its own. */
  received(chunk: Uint8Array): void {
    const kept = this.table.data(this, chunk);
    if (this.#buffer !== undefined) return;
    if (kept === true) this.#chunks = 0;
    else if (++this.#chunks >= BUSY || chunk.length === LARGE) this.#readIntoOwn(chunk.length);
  }

  #readIntoOwn(length: number): void {
    const { socket } = this;
    if (!canReadInto() || socket.destroyed) return;
    if (socket.isPaused() || socket.readableLength > 0) return;
    const buffer = new ReadBuffer(pool, length < SMALL ? SMALL : LARGE);
    if (readInto(socket, buffer.current, onRead)) this.#buffer = buffer;
    else buffer.release();
  }

  /** From the runtime: bytes in our buffer. False when it has to stop reading. */
  read(length: number, bytes: Buffer<ArrayBuffer>): boolean {
    const { socket } = this;
    const chunk = chunkOf(bytes, length);
    if (socket.isPaused() || socket.readableLength > 0) return socket.push(Buffer.from(chunk));
    const buffer = this.#buffer!;
    if (socket.writableLength === 0) buffer.reclaim();
    lender = this;
    this.#writing = this.#kept = false;
    const kept = this.table.data(this, chunk) === true;
    lender = undefined;
    buffer.advance(length, kept || this.#kept, this.#writing);
    if (buffer.current !== bytes) readNextInto(buffer.current);
    // While it is paused for what is to be sent, a failure of that says that the peer has gone.
    return socket.writableLength === 0 || !socket.isPaused();
  }

  /** From the runtime: nothing is left. */
  closed(): void {
    this.#buffer?.release();
    this.#buffer = undefined;
    this.#writeEnded = true;
    this.#drop(this.#pending);
    this.table.close(this, this.error);
  }

  /** From the runtime: the peer's end. */
  ended(): void {
    if (this.socket.destroyed) return;
    if (this.socket.isPaused()) this.#endHeld = true;
    else this.table.end(this);
  }

  /** From the runtime, which closes then. */
  failed(error: unknown): void {
    this.error = toPorticoError(error, "ECONNRESET", "peer");
  }

  end(): void {
    this.#writeEnded = true;
    this.socket.end();
  }

  unread(bytes: Uint8Array): void {
    this.socket.unshift(bytes);
  }

  secure(context: TlsContext): Connection {
    const socket = this.leave();
    return (context as Layer).begin(socket, this.table, this.#bound, this.#remote, this.data);
  }

  leave(): Socket {
    const { socket } = this;
    this.replaced = true;
    for (const [event, listener] of EVENTS) socket.off(event, listener);
    // Not given back: what is in it may have been put back, and whoever reads at this moment goes on with it.
    this.#buffer = undefined;
    return socket;
  }

  /** From the runtime: nothing is pending. */
  drained(): void {
    this.#pending = 0;
    this.table.drain(this);
  }

  /** So many bytes will not go out any more. */
  #drop(length: number): void {
    if (length > 0) dropBytes(length);
    this.#pending = 0;
  }

  abort(quiet = false): void {
    this.#writeEnded = true;
    this.#drop(this.pending);
    const { socket } = this;
    // Node never closes what is reset while its shutdown(2) is under way; then all has gone out anyway.
    const shutting = socket.writableEnded && socket.writableLength === 0;
    if (quiet || shutting || this.#bound.transport === "unix") socket.destroy();
    else socket.resetAndDestroy();
  }
}

function onData(this: Socket, chunk: Uint8Array): void {
  (this as OwnedSocket)[CONNECTION].received(chunk);
}

function onRead(this: Socket, length: number, buffer: Buffer<ArrayBuffer>): boolean {
  return (this as OwnedSocket)[CONNECTION].read(length, buffer);
}

function onEnd(this: Socket): void {
  (this as OwnedSocket)[CONNECTION].ended();
}

function onDrain(this: Socket): void {
  (this as OwnedSocket)[CONNECTION].drained();
}

function onError(this: Socket, error: Error): void {
  (this as OwnedSocket)[CONNECTION].failed(error);
}

function onClose(this: Socket): void {
  (this as OwnedSocket)[CONNECTION].closed();
}

const EVENTS = [
  ["error", onError],
  ["close", onClose],
  ["end", onEnd],
  ["drain", onDrain],
  ["data", onData],
] as const;

/** The socket's events find the connection from now on; reading begins with {@link read}. */
export function listen(connection: NodeConnection): void {
  const { socket } = connection;
  (socket as OwnedSocket)[CONNECTION] = connection;
  socket.on("error", onError);
  socket.on("close", onClose);
  socket.on("end", onEnd);
  socket.on("drain", onDrain);
}

/** Reading begins with the first listener, unless the socket has been paused. */
export function read({ socket }: NodeConnection): void {
  socket.on("data", onData);
}

/**
 * Gives a socket of `node:net` to the core.
 *
 * @param bound the address of our side, or of a listener on every address.
 * @param remote when it is known already.
 * @param data for the core's slot.
 */
export function attach(
  socket: Socket,
  table: StreamTable,
  bound: Address,
  remote?: Address,
  data?: unknown,
): void {
  const connection = new NodeConnection(socket, table, bound, remote, data);
  listen(connection);
  table.open(connection);
  if (!connection.replaced) read(connection);
}
