/**
 * A server of `node:http`, with the connections that it is given: by a listener of its own, after a handshake, by
 * descriptor. Requests and responses are made by a {@link Bridge}.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { HttpTable } from "../../runtime/core/exchange.ts";
import { tcpAddress } from "../addresses.ts";
import { GRACE } from "../exchanges.ts";
import { Answering, type Connection, type SocketExchanges } from "./answering.ts";

/** Asks the core. */
export type Ask = (request: Request, outgoing: Answering) => Response | Promise<Response>;

/** How requests are made of what `node:http` has parsed, and responses are sent. */
export interface Bridge {
  /** What is called with each request. */
  listener(ask: Ask): (incoming: IncomingMessage, outgoing: Answering) => void;
  exchanges(table: HttpTable, local: Address): SocketExchanges;
  /** While anybody serves. @returns ends that. */
  begin(): () => void;
}

/** Milliseconds that a head may take to come: from the connection on, or from the answer before it. */
const HEAD = 60_000;
/** Milliseconds between two looks at that. */
const LOOK = 10_000;

export class HttpServer {
  readonly exchanges: SocketExchanges;
  /** Does not listen, unless whoever has made this has it do so. */
  readonly server: Server<typeof IncomingMessage, typeof Answering>;
  readonly #connections: Set<Connection> = new Set();
  readonly #end: () => void;
  #closed = false;
  /** Closed, and who had connected has had its time: nobody is idle any more. */
  #ended = false;
  #looks: NodeJS.Timeout | undefined = undefined;

  constructor(bridge: Bridge, table: HttpTable, local: Address, noDelay: boolean) {
    const exchanges = this.exchanges = bridge.exchanges(table, local);
    this.#end = bridge.begin();
    const answer = bridge.listener((request, outgoing) => {
      const exchange = outgoing.exchange = table.open(exchanges, request, outgoing);
      return table.answer(exchange);
    });
    const over = this.#over.bind(this);
    this.server = createServer({ noDelay, ServerResponse: Answering }, (incoming, outgoing) => {
      outgoing.over = over;
      this.#begin(outgoing.asker, outgoing);
      answer(incoming, outgoing);
    });
    this.server.on("connection", (socket: Connection) => this.#connected(socket));
    void this.over.then(() => this.#end());
  }

  get over(): Promise<void> {
    return this.exchanges.over;
  }

  /** Serves a connection that no listener of this server has accepted. */
  take(socket: Connection): void {
    if (this.#ended) return void socket.destroy();
    socket.idleSince = performance.now();
    if (this.#looks === undefined) {
      this.#looks = setInterval(() => this.#look(), LOOK).unref();
      // Deno keeps no connection of a server that does not listen.
      Object.defineProperty(this.server, "listening", { value: true });
    }
    this.server.emit("connection", socket);
  }

  #connected(socket: Connection): void {
    this.#connections.add(socket);
    socket.once("close", () => {
      this.#connections.delete(socket);
      this.#settle();
    });
  }

  /** Node looks itself at the connections that it has accepted itself. */
  #look(): void {
    const late = performance.now() - HEAD;
    for (const socket of this.#connections) {
      if (!socket.asking && (socket.idleSince ?? Infinity) < late) socket.destroy();
    }
  }

  #begin(connection: Connection, outgoing: Answering): void {
    connection.asking = (connection.asking ?? 0) + 1;
    connection.last = outgoing;
    if (!this.exchanges.unix) {
      connection.peer ??= tcpAddress(connection.remoteAddress, connection.remotePort);
    }
    if (this.#closed) outgoing.shouldKeepAlive = false;
  }

  #over(outgoing: Answering): void {
    // What is no request is answered, and never begins.
    const { asker, exchange, failed } = outgoing;
    const gone = !outgoing.writableFinished;
    if (gone) outgoing.leaving?.abort();
    if (exchange !== undefined) this.exchanges.end(exchange, gone, failed);
    if (asker.last === outgoing) asker.last = undefined;
    if (asker.idleSince !== undefined) asker.idleSince = performance.now();
    if (--asker.asking! === 0 && this.#ended) asker.destroySoon();
  }

  /** As {@link HttpConnections.close}; nobody is accepted any more. */
  close(keep = false): void {
    if (this.#closed) return;
    this.#closed = true;
    // Of several at once, the last one: those before it are answered on the same connection.
    for (const { last } of this.#connections) if (last !== undefined) last.shouldKeepAlive = false;
    if (!keep) return this.#endIdle();
    // Who has had no request yet, or none just now, has a moment for it.
    const late = setTimeout(() => this.#endIdle(), GRACE);
    void this.over.then(() => clearTimeout(late));
    this.#settle();
  }

  #endIdle(): void {
    this.#ended = true;
    for (const connection of this.#connections) if (!connection.asking) connection.destroy();
    this.#settle();
  }

  /** Whether anybody else has still to be served. */
  waits: () => boolean = () => false;

  #settle(): void {
    if (!this.#closed || this.#connections.size > 0 || this.waits()) return;
    clearInterval(this.#looks);
    this.exchanges.finish();
  }

  /** Those that {@link waits} has spoken of are fewer. */
  settle(): void {
    this.#settle();
  }

  get closed(): boolean {
    return this.#closed;
  }

  get ended(): boolean {
    return this.#ended;
  }

  abort(): void {
    clearInterval(this.#looks);
    for (const connection of this.#connections) connection.destroy();
    this.exchanges.finish();
  }
}
