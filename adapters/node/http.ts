/**
 * HTTP on `node:http`, with fetch's Request and Response by `@hono/node-server`. It must not replace the
 * global ones (`overrideGlobalObjects`): other code of this process has instances of those already.
 */
import { getRequestListener } from "@hono/node-server";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, type ListenOptions, Server as NetServer, type Socket } from "node:net";
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { Exchange, HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError, toPorticoError } from "../../runtime/core/errors.ts";
import { Exchanges, GRACE, type Site, siteOf } from "../exchanges.ts";
import { bindFailure } from "../posix/failure.ts";
import { duplicateOf } from "../posix/inherited.ts";
import { findDescriptor, setRemaining } from "../posix/listen.ts";
import { STREAM } from "./options.ts";

/** As {@link Adapter.serve}. */
export async function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
): Promise<HttpListener> {
  let site: Site | undefined;
  let listener: NodeHttp | undefined;
  try {
    site = await siteOf(endpoint);
    listener = new NodeHttp(site, table, options);
    await listener.start(options);
    await setRemaining(() => listener!.find(), endpoint.transport, options, STREAM);
    site.publish(options);
    return listener;
  } catch (error) {
    await listener?.close("fd" in endpoint);
    if (!("fd" in endpoint)) site?.release();
    throw bindFailure(endpoint, error);
  }
}

class NodeHttp implements HttpListener {
  readonly #site: Site;
  readonly #exchanges: Exchanges;
  readonly #server: Server;
  readonly #responses: Set<ServerResponse> = new Set();
  /** Connections, by what they are at. */
  readonly #sockets: Map<Socket, "fresh" | "busy" | "idle"> = new Map();
  #closed = false;

  constructor(site: Site, table: HttpTable, { noDelay, keepAlive = 0 }: SocketOptions) {
    this.#site = site;
    this.#exchanges = new Exchanges(table);
    const answer = getRequestListener(
      (request, { outgoing }) =>
        table.request((outgoing as ServerResponse & { exchange: Exchange }).exchange, request),
      { overrideGlobalObjects: false },
    );
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
    const exchange = this.#exchanges.begin(socket.remoteAddress, socket.remotePort);
    (outgoing as ServerResponse & { exchange: Exchange }).exchange = exchange;
    this.#responses.add(outgoing);
    if (this.#closed) outgoing.shouldKeepAlive = false;
    outgoing.once("close", () => {
      this.#responses.delete(outgoing);
      this.#exchanges.end(exchange, !outgoing.writableFinished);
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
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ ...where, ...(backlog !== undefined && { backlog }) }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    this.#server.on("error", (error) => {
      this.#exchanges.table.failure(toPorticoError(error, "ACCEPT_FAILED", "host"));
    });
    const bound = fd < 0 && path === undefined ? this.#server.address() as AddressInfo : undefined;
    this.#exchanges.local = this.#site.address(bound?.port);
  }

  find(): Promise<number> {
    const handle = (this.#server as unknown as { _handle?: { fd?: number } | null })._handle;
    const fd = handle?.fd ?? -1;
    if (fd >= 0) return Promise.resolve(fd);
    return findDescriptor(this.#site.bound(this.#exchanges.local.port));
  }

  async duplicate(): Promise<number> {
    if (this.#closed) throw new PorticoError("NOT_SUPPORTED", "the listener is closed");
    return await duplicateOf(await this.find());
  }

  close(keep = false): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    if (!keep) this.#site.release();
    for (const response of this.#responses) response.shouldKeepAlive = false;
    const finish = (): void => this.#exchanges.finish();
    if (!this.#server.listening) finish();
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
