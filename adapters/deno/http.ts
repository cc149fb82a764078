/**
 * HTTP on `Deno.serve`. It listens no more once an accept has failed, be it for want of descriptors;
 * the connections that it has are served on. So there is another descriptor for the socket, with which
 * a new server goes on.
 */
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { acceptFailure, isExhausted } from "../errno.ts";
import type { Site } from "../exchanges.ts";
import { NativeHttp, serveOn } from "../http.ts";
import { guard } from "../posix/guard.ts";
import { duplicateOf, release } from "../posix/inherited.ts";
import type { Poller } from "../posix/poller.ts";
import { STREAM } from "./options.ts";

/** What `Deno.serve` sets by itself; noDelay it always does. */
const OWN = STREAM.filter((name) => name !== "noDelay");

/** As {@link Adapter.serve}. */
export function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
): Promise<HttpListener> {
  return serveOn(endpoint, options, OWN, (site) => new DenoHttp(site, table));
}

/** RFC 3986, section 3.2: a name or an address, and a port. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;

/** Milliseconds between two trials to go on. */
const RETRY = 1000;

/** Where one server listens. */
type Place = { readonly path: string } | {
  readonly hostname: string;
  readonly port: number;
  readonly reusePort?: true;
};

class DenoHttp extends NativeHttp {
  address: Address;
  /** The last one listens; of those before there may be connections. */
  readonly #servers: Deno.HttpServer[] = [];
  readonly #handler: Deno.ServeHandler;
  #spare = -1;
  #deaf = false;

  constructor(site: Site, table: HttpTable) {
    super(site, table);
    this.address = site.address();
    this.#handler = (request, info) => {
      // Deno makes the URL of whatever is there: another path, if that is "a/b?".
      const host = request.headers.get("host");
      if (host !== null && !HOST.test(host)) return new Response(null, { status: 400 });
      const remote = info.remoteAddr as Partial<Deno.NetAddr>;
      const exchange = this.exchanges.begin(remote.hostname, remote.port, request);
      info.completed.then(
        () => this.exchanges.end(exchange, false),
        () => this.exchanges.end(exchange, true),
      );
      return table.request(exchange, request);
    };
  }

  protected listen({ reusePort }: SocketOptions): Address {
    const { fd, path, host, port } = this.site;
    if (fd >= 0) return this.#serveBlank();
    if (path !== undefined) return this.#serve({ path });
    // The key itself asks for --unstable-net, whatever its value.
    const bound = this.#serve({
      hostname: host,
      port,
      ...(reusePort === true && { reusePort }),
    });
    this.address = this.site.address(bound.port);
    return bound;
  }

  /** On a socket that another one takes the place of. Its family has to be the same. */
  #serveBlank(): Address {
    return this.#serve(
      this.site.unix
        ? { path: `\0portico-${crypto.randomUUID()}` }
        : { hostname: "127.0.0.1", port: 0 },
    );
  }

  #serve(place: Place): Address {
    const server: Deno.HttpServer<Deno.Addr> = "path" in place
      ? Deno.serve({ ...place, onListen() {} }, this.#handler)
      : Deno.serve({ ...place, onListen() {} }, this.#handler);
    this.#servers.push(server);
    server.finished.catch((error) => this.#fail(error));
    if ("path" in place) return new Address("unix", "", 0, place.path.replace(/^\0/, "@"));
    return new Address("tcp", place.hostname, (server.addr as Deno.NetAddr).port, "");
  }

  #fail(error: unknown): void {
    if (this.closed) return;
    this.#deaf = true;
    if (!isExhausted(error)) this.failure(acceptFailure(error));
    guard.exhausted(this);
  }

  protected async openPoller(): Promise<Poller> {
    const { openGraft } = await import("./graft.ts");
    const graft = await openGraft();
    if (graft !== undefined) return graft.poller;
    throw new PorticoError("NOT_SUPPORTED", "Deno.serve takes no socket that is open already");
  }

  override async ready(): Promise<void> {
    await super.ready();
    if (this.closed || this.#spare >= 0) return;
    const spare = await duplicateOf(await this.find());
    if (this.closed) await release(spare);
    else this.#spare = spare;
  }

  override shut(): void {
    if (!this.#deaf) super.shut();
  }

  override open(): void {
    if (this.#deaf) void this.#revive();
    else super.open();
  }

  async #revive(): Promise<void> {
    const count = this.#servers.length;
    try {
      if (this.#spare >= 0) await this.graft(this.#serveBlank(), this.#spare);
      else if (!this.site.unix) {
        this.#serve({ hostname: this.site.host, port: this.address.port });
      } else throw new PorticoError("NOT_SUPPORTED", "Deno.serve has given up the socket");
      this.#spare = -1;
      this.#deaf = false;
    } catch (error) {
      this.failure(acceptFailure(error));
      for (const server of this.#servers.splice(count)) void server.shutdown();
      setTimeout(() => this.closed || guard.exhausted(this), RETRY);
      return;
    }
    if (this.closed) return void this.shutdown();
    await this.ready().catch(() => {});
  }

  /** Of those that have failed, too. */
  protected async shutdown(): Promise<void> {
    const spare = this.#spare;
    this.#spare = -1;
    if (spare >= 0) await release(spare);
    await Promise.allSettled(this.#servers.map((server) => server.shutdown()));
  }

  /** Deno cannot cut a response that is under way once it shuts down: who makes it, ends it. */
  abort(): void {
    this.exchanges.finish();
  }
}
