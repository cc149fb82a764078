/**
 * HTTP on `node:http`, with fetch's Request by `@hono/node-server`. It must not replace the global ones
 * (`overrideGlobalObjects`): other code of this process has instances of those already, which are none of
 * its own. `whole-response.ts` has a Response that they are instances of.
 */
import { getRequestListener } from "@hono/node-server";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer } from "node:net";
import type { BindableEndpoint, OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { type HttpListener, type HttpTable } from "../../runtime/core/exchange.ts";
import { tcpAddress } from "../addresses.ts";
import { acceptFailure } from "../errno.ts";
import { DEFAULT_HOST, GRACE, isHost } from "../exchanges.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener, ReopenedListener } from "../listener.ts";
import { descriptorLimit } from "../posix/descriptor-limit.ts";
import { descriptorOf } from "./handle.ts";
import { Answering, type Connection, NodeExchanges, respond } from "./exchange.ts";
import { learn, takeLightRequests } from "./light-request.ts";
import { listenOn, listenOptions, setKeepAlive, STREAM } from "./options.ts";
import { useWholeResponses } from "./whole-response.ts";

/** As {@link Adapter.serve}. */
export function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
): Promise<HttpListener> {
  return openListener(endpoint, options, (target) => new NodeHttp(target, table, options));
}

class NodeHttp extends ReopenedListener implements HttpListener {
  readonly ownOptions: readonly OptionName[] = STREAM;
  readonly #exchanges: NodeExchanges;
  readonly #server: Server<typeof IncomingMessage, typeof Answering>;
  readonly #connections: Set<Connection> = new Set();
  #restore: (() => void) | undefined = undefined;
  #started = false;
  /** Closed, and who had connected has had its time: nobody is idle any more. */
  #ended = false;

  constructor(
    target: ListenTarget,
    table: HttpTable,
    options: SocketOptions,
  ) {
    super(target);
    this.#exchanges = new NodeExchanges(table, this.address);
    const answer = getRequestListener((request, { incoming, outgoing }) => {
      if (!isHost(incoming.headers.host)) return new Response(null, { status: 400 });
      const answering = outgoing as Answering;
      const { asker } = answering;
      asker.peer ??= tcpAddress(asker.remoteAddress, asker.remotePort);
      learn(request);
      const exchange = answering.exchange = table.open(this.#exchanges, request, answering);
      const response = table.answer(exchange);
      return response instanceof Response
        ? respond(response, answering)
        : response.then((response) => respond(response, answering));
    }, { overrideGlobalObjects: false, hostname: DEFAULT_HOST });
    const over = this.#over.bind(this);
    const own = { noDelay: options.noDelay ?? true, ServerResponse: Answering };
    this.#server = createServer(own, (incoming, outgoing) => {
      outgoing.over = over;
      this.#begin(outgoing.asker, outgoing);
      void answer(incoming, outgoing as ServerResponse);
    });
    this.#server.on("connection", (socket: Connection) => {
      setKeepAlive(socket, options);
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
      descriptorLimit.accepted(descriptorOf(socket));
    });
  }

  get over(): Promise<void> {
    return this.#exchanges.over;
  }

  #begin(connection: Connection, outgoing: Answering): void {
    connection.asking = (connection.asking ?? 0) + 1;
    connection.last = outgoing;
    if (this.closed) outgoing.shouldKeepAlive = false;
  }

  #over(outgoing: Answering): void {
    // What is no request is answered, and never begins.
    const { asker, exchange, failed } = outgoing;
    if (exchange !== undefined) this.#exchanges.end(exchange, !outgoing.writableFinished, failed);
    if (asker.last === outgoing) asker.last = undefined;
    if (--asker.asking! === 0 && this.#ended) asker.destroySoon();
  }

  async start(options: SocketOptions): Promise<void> {
    const restore = [useWholeResponses(), takeLightRequests()];
    this.#restore = () => restore.forEach((each) => each());
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
    // Of several at once, the last one: those before it are answered on the same connection.
    for (const { last } of this.#connections) if (last !== undefined) last.shouldKeepAlive = false;
    const finish = (): void => this.#exchanges.finish();
    void this.over.then(() => this.#restore?.());
    if (!this.#started) return finish();
    if (!keep) {
      this.#ended = true;
      this.#server.close(finish);
      return;
    }
    // Node's own close would end the connections that have had no request yet, or none just now.
    NetServer.prototype.close.call(this.#server, finish);
    const late = setTimeout(() => {
      this.#ended = true;
      for (const connection of this.#connections) if (!connection.asking) connection.destroy();
    }, GRACE);
    void this.over.then(() => {
      clearTimeout(late);
      // Its timer is all that is left.
      this.#server.close(() => {});
    });
  }

  abort(): void {
    this.#server.closeAllConnections();
    this.#exchanges.finish();
  }
}
