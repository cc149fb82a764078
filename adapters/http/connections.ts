/** HTTP of connections that come by descriptor, or were read before: see {@link Adapter.requests}. */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { Connection as Stream } from "../../runtime/core/contract.ts";
import type { Origin } from "../../runtime/core/descriptors.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { HttpConnections, HttpTable } from "../../runtime/core/exchange.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import { descriptorLimit } from "../posix/descriptor-limit.ts";
import type { Connection } from "./answering.ts";
import { Handshakes } from "./handshake.ts";
import { type Bridge, HttpServer } from "./server.ts";

/** Makes a socket of a connected descriptor, and calls back with it, unread. What comes to nothing is closed. */
export type Adopted = (fd: number, ready: (socket: Socket) => void) => void;

/** A connection of `node:net` that somebody else may have the socket of. */
export interface SocketOwner {
  /** Gives it away as it is; nobody is told of it any more. */
  leave(): Socket;
}

/** Of one listener at `local`. */
export class AdoptedConnections implements HttpConnections {
  readonly #http: HttpServer;
  readonly #handshakes: Handshakes | undefined;
  readonly #socketOf: Adopted;

  constructor(
    socketOf: Adopted,
    bridge: Bridge,
    local: Address,
    table: HttpTable,
    tls: TlsContext | undefined,
  ) {
    this.#socketOf = socketOf;
    this.#http = new HttpServer(bridge, table, local, true);
    if (tls === undefined) return;
    this.#handshakes = new Handshakes(tls, this.#http, table.handshakes);
  }

  get over(): Promise<void> {
    return this.#http.over;
  }

  adopt(fd: number, origin: Origin): void {
    descriptorLimit.accepted(fd);
    this.#socketOf(fd, (socket) => this.#arrive(socket, origin));
  }

  take(stream: Stream, origin: Origin, last?: Uint8Array): void {
    const socket = (stream as Stream & SocketOwner).leave();
    this.#arrive(socket, origin);
    // What is left of a handshake at the end of its peer is none.
    if (this.#handshakes !== undefined) return;
    if (last === undefined) socket.resume();
    else queueMicrotask(() => tellLast(socket, last));
  }

  #arrive(connection: Connection, origin: Origin): void {
    if (this.#http.ended) return void connection.destroy();
    if (this.#handshakes !== undefined) return this.#handshakes.arrive(connection, origin);
    connection.peer = origin.remote;
    connection.arrived = origin.local;
    this.#http.take(connection);
  }

  close(keep?: boolean): void {
    if (keep !== true) this.#handshakes?.abort();
    this.#http.close(keep);
  }

  abort(): void {
    this.#handshakes?.abort();
    this.#http.abort();
  }
}

/**
 * The stream of a socket takes nothing back any more once it has told its end: whoever listens is told both anew, in
 * turns of their own, as when they are read.
 */
function tellLast(socket: Socket, { buffer, byteOffset, length }: Uint8Array): void {
  if (socket.destroyed) return;
  if (length > 0) socket.emit("data", Buffer.from(buffer as ArrayBuffer, byteOffset, length));
  setImmediate(() => void (socket.destroyed || socket.emit("end")));
}
