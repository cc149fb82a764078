/**
 * HTTP on `node:http`, with fetch's Request by `@hono/node-server`. It must not replace the global ones
 * (`overrideGlobalObjects`): other code of this process has instances of those already, which are none of
 * its own. `whole-response.ts` has a Response that they are instances of.
 */
import { type AddressInfo, Server as NetServer } from "node:net";
import type { BindableEndpoint, OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import { acceptFailure } from "../errno.ts";
import type { Connection } from "../http/answering.ts";
import { HttpServer } from "../http/server.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener, ReopenedListener } from "../listener.ts";
import { descriptorLimit } from "../posix/descriptor-limit.ts";
import { descriptorOf } from "./handle.ts";
import { NODE_BRIDGE } from "./exchange.ts";
import { listenOn, listenOptions, setKeepAlive, STREAM } from "./options.ts";

/** As {@link Adapter.serve}. */
export async function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
  tls?: TlsContext,
): Promise<HttpListener> {
  if (tls !== undefined) {
    const { serveTls } = await import("../http/listener.ts");
    return await serveTls(endpoint, table, options, tls, NODE_BRIDGE);
  }
  return await openListener(endpoint, options, (target) => new NodeHttp(target, table, options));
}

/** In clear: Node's server listens itself. */
class NodeHttp extends ReopenedListener implements HttpListener {
  readonly ownOptions: readonly OptionName[] = STREAM;
  readonly #http: HttpServer;
  #started = false;

  constructor(target: ListenTarget, table: HttpTable, options: SocketOptions) {
    super(target);
    this.#http = new HttpServer(NODE_BRIDGE, table, this.address, options.noDelay ?? true);
    this.#http.server.on("connection", (socket: Connection) => {
      setKeepAlive(socket, options);
      descriptorLimit.accepted(descriptorOf(socket));
    });
  }

  get over(): Promise<void> {
    return this.#http.over;
  }

  async start(options: SocketOptions): Promise<void> {
    const { server, exchanges } = this.#http;
    await listenOn(server, listenOptions(this.target, options));
    this.#started = true;
    server.on("error", (error) => this.failure(acceptFailure(error)));
    descriptorLimit.add(this);
    if (this.target.inherited === undefined && !this.target.unix) {
      this.address = this.target.address((server.address() as AddressInfo).port);
    }
    exchanges.local = this.address;
  }

  protected get ownDescriptor(): number {
    return descriptorOf(this.#http.server);
  }

  protected stopListening(): void {
    // Its own close would end the connections that are idle.
    NetServer.prototype.close.call(this.#http.server);
  }

  protected listenOn(fd: number): Promise<void> {
    return listenOn(this.#http.server, { fd });
  }

  failure(error: PorticoError): void {
    this.#http.exchanges.table.failure(error);
  }

  protected closeRuntime(keep: boolean): void {
    this.#http.close(keep);
    if (!this.#started) return;
    if (keep) {
      // Node's own close would end the connections that have had no request yet, or none just now.
      NetServer.prototype.close.call(this.#http.server);
      // Its timer is all that is left.
      void this.over.then(() => this.#http.server.close(() => {}));
    } else this.#http.server.close();
  }

  abort(): void {
    this.#http.abort();
  }
}
