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
import type { SecondServer } from "./second.ts";

/** Asks the core. */
export type Ask = (request: Request, outgoing: Answering) => Response | Promise<Response>;

/** How requests are made of what `node:http` has parsed, and responses are sent. */
export interface Bridge {
  /** What is called with each request. */
  listener(ask: Ask): (incoming: IncomingMessage, outgoing: Answering) => void;
  exchanges(table: HttpTable, local: Address): SocketExchanges;
  /** That for HTTP/2, where it is another one. */
  readonly second?: Bridge;
  /** While anybody serves. @returns ends that. */
  begin(): () => void;
  /** Is called after each read of a connection that {@link HttpServer.take} was given. */
  readonly hasRead?: (this: Connection) => void;
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
  readonly #bridge: Bridge;
  readonly #finished: (outgoing: Answering) => void;
  #second: Promise<SecondServer> | undefined = undefined;

  constructor(bridge: Bridge, table: HttpTable, local: Address, noDelay: boolean) {
    const exchanges = this.exchanges = bridge.exchanges(table, local);
    this.#end = bridge.begin();
    this.#bridge = bridge;
    this.#finished = this.#over.bind(this);
    const answer = this.#answerer(bridge, exchanges);
    this.server = createServer({ noDelay, ServerResponse: Answering }, answer);
    this.server.on("connection", (socket: Connection) => this.#connected(socket));
    void this.over.then(() => this.#end());
  }

  #answerer(
    bridge: Bridge,
    exchanges: SocketExchanges,
  ): (incoming: IncomingMessage, outgoing: Answering) => void {
    const { table } = exchanges;
    const answer = bridge.listener((request, outgoing) => {
      const exchange = outgoing.exchange = table.open(exchanges, request, outgoing);
      return table.answer(exchange);
    });
    return (incoming, outgoing) => {
      outgoing.over = this.#finished;
      this.#begin(outgoing.asker, outgoing);
      answer(incoming, outgoing);
    };
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
    if ((socket as { alpnProtocol?: unknown }).alpnProtocol === "h2") void this.#takeSecond(socket);
    else {
      this.server.emit("connection", socket);
      const { hasRead } = this.#bridge;
      if (hasRead !== undefined) socket.on("data", hasRead);
    }
  }

  async #takeSecond(socket: Connection): Promise<void> {
    this.#connected(socket);
    this.#second ??= import("./second.ts").then(({ SecondServer }) => {
      const { second: bridge = this.#bridge } = this.#bridge;
      const { table, local } = this.exchanges;
      return new SecondServer(this.#answerer(bridge, bridge.exchanges(table, local)));
    });
    const second = await this.#second;
    if (socket.destroyed) return;
    second.take(socket);
    if (this.#closed) second.close();
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
    const { stream } = outgoing;
    const gone = stream === undefined
      ? !outgoing.writableFinished
      : stream.aborted || !outgoing.writableEnded;
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
    void this.#second?.then((second) => second.close());
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
