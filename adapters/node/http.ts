/**
 * HTTP on `node:http`, with fetch's Request and Response by `@hono/node-server`. It must not replace the
 * global ones (`overrideGlobalObjects`): other code of this process has instances of those already.
 */
import { getRequestListener } from "@hono/node-server";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import type { BindableEndpoint, OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { Exchange, HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import { acceptFailure } from "../errno.ts";
import { DEFAULT_HOST, Exchanges, GRACE } from "../exchanges.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener, ReopenedListener } from "../listener.ts";
import { descriptorLimit } from "../posix/descriptor-limit.ts";
import { descriptorOf } from "./handle.ts";
import { listenOn, listenOptions, setKeepAlive, STREAM } from "./options.ts";

/** As {@link Adapter.serve}. */
export function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
): Promise<HttpListener> {
  return openListener(endpoint, options, (target) => new NodeHttp(target, table, options));
}

/** A response, with what it answers. */
type Answered = ServerResponse & { exchange?: Exchange };

class NodeHttp extends ReopenedListener implements HttpListener {
  readonly ownOptions: readonly OptionName[] = STREAM;
  readonly #exchanges: Exchanges;
  readonly #server: Server;
  readonly #responses: Set<ServerResponse> = new Set();
  /** Connections, by what they are at. */
  readonly #sockets: Map<Socket, "fresh" | "busy" | "idle"> = new Map();
  #started = false;

  constructor(
    target: ListenTarget,
    table: HttpTable,
    options: SocketOptions,
  ) {
    super(target);
    this.#exchanges = new Exchanges(table, this.address);
    const answer = getRequestListener((request, { incoming, outgoing }) => {
      const { remoteAddress, remotePort } = incoming.socket;
      const exchange = this.#exchanges.begin(remoteAddress, remotePort);
      (outgoing as Answered).exchange = exchange;
      return table.request(exchange, request);
    }, { overrideGlobalObjects: false, hostname: DEFAULT_HOST });
    this.#server = createServer({ noDelay: options.noDelay ?? true }, (incoming, outgoing) => {
      this.#begin(incoming, outgoing);
      void answer(incoming, outgoing);
    });
    this.#server.on("connection", (socket) => {
      setKeepAlive(socket, options);
      this.#sockets.set(socket, "fresh");
      socket.once("close", () => this.#sockets.delete(socket));
      descriptorLimit.accepted(descriptorOf(socket));
    });
  }

  get over(): Promise<void> {
    return this.#exchanges.over;
  }

  #begin({ socket }: IncomingMessage, outgoing: ServerResponse): void {
    this.#sockets.set(socket, "busy");
    this.#responses.add(outgoing);
    if (this.closed) outgoing.shouldKeepAlive = false;
    outgoing.once("close", () => {
      this.#responses.delete(outgoing);
      // What is no request is answered, and never begins.
      const { exchange } = outgoing as Answered;
      if (exchange !== undefined) this.#exchanges.end(exchange, !outgoing.writableFinished);
      if (!this.#sockets.has(socket)) return;
      this.#sockets.set(socket, "idle");
      if (this.closed) socket.destroySoon();
    });
  }

  async start(options: SocketOptions): Promise<void> {
    await listenOn(this.#server, listenOptions(this.target, options));
    this.#started = true;
    this.#server.on("error", (error) => this.failure(acceptFailure(error)));
    descriptorLimit.add(this);
    if (this.target.inherited === undefined && !this.target.unix) {
      this.address = this.target.address((this.#server.address() as AddressInfo).port);
    }
    this.#exchanges.local = this.address;
  }

  protected get ownDescriptor(): number {
    return descriptorOf(this.#server);
  }

  protected stopListening(): void {
    // Its own close would end the connections that are idle.
    NetServer.prototype.close.call(this.#server);
  }

  protected listenOn(fd: number): Promise<void> {
    return listenOn(this.#server, { fd });
  }

  failure(error: PorticoError): void {
    this.#exchanges.table.failure(error);
  }

  protected closeRuntime(keep: boolean): void {
    for (const response of this.#responses) response.shouldKeepAlive = false;
    const finish = (): void => this.#exchanges.finish();
    if (!this.#started) finish();
    else if (!keep) this.#server.close(finish);
    else this.#closeSlowly(finish);
  }

  /** Node's own close takes connections that have had no request yet for idle ones. */
  #closeSlowly(finish: () => void): void {
    NetServer.prototype.close.call(this.#server, finish);
    this.#cut("idle");
    const late = setTimeout(() => this.#cut("fresh"), GRACE);
    void this.over.then(() => {
      clearTimeout(late);
      // Its timer is all that is left.
      this.#server.close(() => {});
    });
  }

  #cut(which: "fresh" | "idle"): void {
    for (const [socket, state] of this.#sockets) if (state === which) socket.destroy();
  }

  abort(): void {
    this.#server.closeAllConnections();
    this.#exchanges.finish();
  }
}
