/** HTTP of connections that come by descriptor: see {@link Adapter.requests}. */
import type { Socket } from "node:net";
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
    this.#socketOf(fd, (socket) => {
      if (this.#http.ended) return void socket.destroy();
      if (this.#handshakes !== undefined) return this.#handshakes.arrive(socket, origin);
      const connection: Connection = socket;
      connection.peer = origin.remote;
      connection.arrived = origin.local;
      this.#http.take(connection);
    });
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
