/**
 * HTTP on `node:http`, with fetch's Request and Response by `@hono/node-server`. It must not replace the
 * global ones (`overrideGlobalObjects`): other code of this process has instances of those already.
 */
import { getRequestListener } from "@hono/node-server";
import { closeSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, type ListenOptions, Server as NetServer, type Socket } from "node:net";
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { Exchange, HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { acceptFailure } from "../errno.ts";
import { Exchanges, GRACE, NAMELESS, type Site } from "../exchanges.ts";
import { type Opening, serveOn } from "../http.ts";
import { guard, type Valve } from "../posix/guard.ts";
import { duplicateOf } from "../posix/inherited.ts";
import { findDescriptor } from "../posix/listen.ts";
import { STREAM } from "./options.ts";

/** As {@link Adapter.serve}. */
export function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
): Promise<HttpListener> {
  return serveOn(endpoint, options, STREAM, (site) => new NodeHttp(site, table, options));
}

/** A response, with what it answers. */
type Answered = ServerResponse & { exchange?: Exchange };

class NodeHttp implements Opening, Valve {
  readonly #site: Site;
  readonly #exchanges: Exchanges;
  readonly #server: Server;
  readonly #responses: Set<ServerResponse> = new Set();
  /** Connections, by what they are at. */
  readonly #sockets: Map<Socket, "fresh" | "busy" | "idle"> = new Map();
  #started = false;
  #closed = false;
  /** The socket, while it is not the server's. */
  #kept = -1;

  constructor(site: Site, table: HttpTable, { noDelay, keepAlive = 0 }: SocketOptions) {
    this.#site = site;
    this.#exchanges = new Exchanges(table);
    const answer = getRequestListener((request, { incoming, outgoing }) => {
      const { remoteAddress, remotePort } = incoming.socket;
      const exchange = this.#exchanges.begin(remoteAddress, remotePort);
      (outgoing as Answered).exchange = exchange;
      return table.request(exchange, request);
    }, { overrideGlobalObjects: false, hostname: NAMELESS });
    this.#server = createServer({
      noDelay: noDelay ?? true,
      keepAlive: keepAlive > 0,
      keepAliveInitialDelay: keepAlive,
    }, (incoming, outgoing) => {
      this.#begin(incoming, outgoing);
      void answer(incoming, outgoing);
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.set(socket, "fresh");
      socket.once("close", () => this.#sockets.delete(socket));
      guard.accepted(handleOf(socket)?.fd ?? -1);
    });
  }

  get address(): Address {
    return this.#exchanges.local;
  }

  get over(): Promise<void> {
    return this.#exchanges.over;
  }

  #begin({ socket }: IncomingMessage, outgoing: ServerResponse): void {
    this.#sockets.set(socket, "busy");
    this.#responses.add(outgoing);
    if (this.#closed) outgoing.shouldKeepAlive = false;
    outgoing.once("close", () => {
      this.#responses.delete(outgoing);
      // What is no request is answered, and never begins.
      const { exchange } = outgoing as Answered;
      if (exchange !== undefined) this.#exchanges.end(exchange, !outgoing.writableFinished);
      if (!this.#sockets.has(socket)) return;
      this.#sockets.set(socket, "idle");
      if (this.#closed) socket.destroySoon();
    });
  }

  async start({ backlog, reusePort, ipv6Only }: SocketOptions): Promise<void> {
    const { fd, path, host, port } = this.#site;
    const where: ListenOptions = fd >= 0
      ? { fd } as ListenOptions
      : path !== undefined
      ? { path }
      : { port, host, ...(reusePort === true && { reusePort }), ...(ipv6Only && { ipv6Only }) };
    await this.#listen({ ...where, ...(backlog !== undefined && { backlog }) });
    this.#started = true;
    this.#server.on("error", (error) => {
      this.failure(acceptFailure(error));
    });
    guard.add(this);
    const bound = fd < 0 && path === undefined ? this.#server.address() as AddressInfo : undefined;
    this.#exchanges.local = this.#site.address(bound?.port);
  }

  async #listen(where: ListenOptions): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(where, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  find(): Promise<number> {
    const fd = this.#kept >= 0 ? this.#kept : this.descriptor;
    if (fd >= 0) return Promise.resolve(fd);
    return findDescriptor(this.#site.bound(this.#exchanges.local.port));
  }

  get descriptor(): number {
    return handleOf(this.#server)?.fd ?? -1;
  }

  shut(kept: number): void {
    this.#kept = kept;
    // Its own close would end the connections that are idle.
    NetServer.prototype.close.call(this.#server);
  }

  open(): void {
    const fd = this.#kept;
    this.#kept = -1;
    this.#listen({ fd } as ListenOptions).catch((error) => this.failure(acceptFailure(error)));
  }

  failure(error: PorticoError): void {
    this.#exchanges.table.failure(error);
  }

  async duplicate(): Promise<number> {
    if (this.#closed) throw new PorticoError("NOT_SUPPORTED", "the listener is closed");
    return await duplicateOf(await this.find());
  }

  close(keep = false): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    guard.remove(this);
    if (this.#kept >= 0) closeSync(this.#kept);
    if (!keep) this.#site.release();
    for (const response of this.#responses) response.shouldKeepAlive = false;
    const finish = (): void => this.#exchanges.finish();
    if (!this.#started) finish();
    else if (!keep) this.#server.close(finish);
    else this.#closeSlowly(finish);
    return Promise.resolve();
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

/** Node keeps the descriptor in the handle; there is no public way to ask. */
function handleOf(owner: Server | Socket): { readonly fd?: number } | undefined {
  return (owner as unknown as { _handle?: { fd?: number } | null })._handle ?? undefined;
}
