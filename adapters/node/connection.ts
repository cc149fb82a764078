/**
 * One connection of `node:net`. Nothing is made for it but one object: the socket's events find it
 * by a property.
 */
import type { Socket } from "node:net";
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { toPorticoError } from "../../runtime/core/errors.ts";
import { isWildcard, tcpAddress, UNNAMED_UNIX } from "../addresses.ts";

/** Where a socket's events find its connection. */
const CONNECTION: unique symbol = Symbol("connection");

type OwnedSocket = Socket & { [CONNECTION]: NodeConnection };

class NodeConnection implements Connection {
  data: unknown;
  readonly socket: Socket;
  readonly table: StreamTable;
  error: PorticoError | undefined = undefined;
  readonly #bound: Address;
  #remote: Address | undefined;
  #pending = 0;
  /** Nothing is written any more. */
  #writeEnded = false;
  /** The peer's end came while reading was paused: Node tells it all the same. */
  #endHeld = false;

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
    return this.#remote ??= this.#bound.transport === "unix"
      ? UNNAMED_UNIX
      : tcpAddress(this.socket.remoteAddress, this.socket.remotePort);
  }

  get local(): Address {
    const bound = this.#bound;
    return isWildcard(bound) ? tcpAddress(this.socket.localAddress, bound.port) : bound;
  }

  /** When a write has failed Node counts all as written: until the close it is what was known before. */
  get pending(): number {
    const { socket } = this;
    if (!socket.destroyed && socket.errored === null) this.#pending = socket.writableLength;
    return this.#pending;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#writeEnded) return true;
    const { socket } = this;
    const room = socket.write(bytes);
    if (socket.errored !== null) this.#pending += bytes.length;
    return room;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
    if (!this.#endHeld) return;
    this.#endHeld = false;
    queueMicrotask(() => this.ended());
  }

  /** From the runtime: nothing is left. */
  closed(): void {
    this.#writeEnded = true;
    this.#pending = 0;
    this.table.close(this, this.error);
  }

  /** From the runtime: the peer's end. */
  ended(): void {
    if (this.socket.destroyed) return;
    if (this.socket.isPaused()) this.#endHeld = true;
    else this.table.end(this);
  }

  end(): void {
    this.#writeEnded = true;
    this.socket.end();
  }

  abort(quiet = false): void {
    this.#writeEnded = true;
    this.#pending = 0;
    const { socket } = this;
    // Node never closes what is reset while its shutdown(2) is under way; then all has gone out anyway.
    const shutting = socket.writableEnded && socket.writableLength === 0;
    if (quiet || shutting || this.#bound.transport !== "tcp") socket.destroy();
    else socket.resetAndDestroy();
  }
}

function onData(this: Socket, chunk: Uint8Array): void {
  const connection = (this as OwnedSocket)[CONNECTION];
  connection.table.data(connection, chunk);
}

function onEnd(this: Socket): void {
  (this as OwnedSocket)[CONNECTION].ended();
}

function onDrain(this: Socket): void {
  const connection = (this as OwnedSocket)[CONNECTION];
  connection.table.drain(connection);
}

function onError(this: Socket, error: Error): void {
  (this as OwnedSocket)[CONNECTION].error = toPorticoError(error, "ECONNRESET", "peer");
}

function onClose(this: Socket): void {
  (this as OwnedSocket)[CONNECTION].closed();
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
  (socket as OwnedSocket)[CONNECTION] = connection;
  socket.on("error", onError);
  socket.on("close", onClose);
  socket.on("end", onEnd);
  socket.on("drain", onDrain);
  table.open(connection);
  // Reading begins with the first listener, unless `open` has paused the socket.
  socket.on("data", onData);
}
