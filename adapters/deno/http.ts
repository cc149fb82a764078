/**
 * HTTP on `Deno.serve`. It takes no descriptor; a socket that is there already is put under the
 * descriptor of a listener that is Deno's (`graft.ts`).
 */
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { Exchanges, GRACE, type Site, siteOf } from "../exchanges.ts";
import { bindFailure } from "../posix/failure.ts";
import { duplicateOf } from "../posix/inherited.ts";
import { findDescriptor, setRemaining } from "../posix/listen.ts";
import { STREAM } from "./options.ts";

/** What `Deno.serve` sets by itself; noDelay it always does. */
const OWN = STREAM.filter((name) => name !== "noDelay");

/** As {@link Adapter.serve}. */
export async function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
): Promise<HttpListener> {
  let site: Site | undefined;
  let listener: DenoHttp | undefined;
  try {
    site = await siteOf(endpoint);
    listener = new DenoHttp(site, table, options);
    if (site.fd >= 0) await listener.graft(site.fd);
    await setRemaining(() => listener!.find(), endpoint.transport, options, OWN);
    site.publish(options);
    return listener;
  } catch (error) {
    await listener?.close("fd" in endpoint);
    if (!("fd" in endpoint)) site?.release();
    throw bindFailure(endpoint, error);
  }
}

class DenoHttp implements HttpListener {
  readonly address: Address;
  readonly #site: Site;
  readonly #exchanges: Exchanges;
  readonly #server: Deno.HttpServer;
  /** The kernel's name for what Deno has bound. Its family has to be that of what takes its place. */
  readonly #blank: Address;
  #fd = -1;
  #closed = false;

  constructor(site: Site, table: HttpTable, { reusePort }: SocketOptions) {
    this.#site = site;
    this.#exchanges = new Exchanges(table);
    const handler = (
      request: Request,
      info: Deno.ServeHandlerInfo,
    ): Response | Promise<Response> => {
      const remote = info.remoteAddr as Partial<Deno.NetAddr>;
      const exchange = this.#exchanges.begin(remote.hostname, remote.port, request);
      info.completed.then(
        () => this.#exchanges.end(exchange, false),
        () => this.#exchanges.end(exchange, true),
      );
      return table.request(exchange, request);
    };
    const onListen = (): void => {};
    const path = site.fd >= 0 && site.unix ? `\0portico-${crypto.randomUUID()}` : site.path;
    if (path !== undefined) {
      this.#server = Deno.serve({ path, onListen }, handler) as Deno.HttpServer;
      this.address = site.address();
      this.#blank = new Address("unix", "", 0, path.replace(/^\0/, "@"));
    } else {
      const server = Deno.serve({
        hostname: site.fd >= 0 ? "127.0.0.1" : site.host,
        port: site.fd >= 0 ? 0 : site.port,
        // The key itself asks for --unstable-net, whatever its value.
        ...(reusePort === true && { reusePort }),
        onListen,
      }, handler);
      this.#server = server;
      this.address = site.address(site.fd >= 0 ? undefined : server.addr.port);
      this.#blank = new Address("tcp", "127.0.0.1", server.addr.port, "");
    }
    this.#exchanges.local = this.address;
  }

  get over(): Promise<void> {
    return this.#exchanges.over;
  }

  /** Listens on a socket that was there already. */
  async graft(fd: number): Promise<void> {
    const { openGraft } = await import("./graft.ts");
    const graft = await openGraft();
    if (graft === undefined) {
      throw new PorticoError("NOT_SUPPORTED", "Deno.serve takes no socket that is open already");
    }
    this.#fd = await graft.replace(this.#blank, fd);
  }

  find(): Promise<number> {
    if (this.#fd >= 0) return Promise.resolve(this.#fd);
    return findDescriptor(this.#site.bound(this.address.port));
  }

  async duplicate(): Promise<number> {
    if (this.#closed) throw new PorticoError("NOT_SUPPORTED", "the listener is closed");
    return await duplicateOf(await this.find());
  }

  async close(keep = false): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (!keep) this.#site.release();
    if (keep && await this.#deafen()) {
      const late = setTimeout(() => this.#shut(), GRACE);
      return void this.over.then(() => clearTimeout(late));
    }
    this.#shut();
  }

  /** Accepts nothing more, and leaves the connections alone that have had no request yet. */
  async #deafen(): Promise<boolean> {
    try {
      const { openGraft } = await import("./graft.ts");
      return await (await openGraft())?.deafen(await this.find()) ?? false;
    } catch {
      return false;
    }
  }

  /** Closes the listener and idle connections at once; the others when they have been answered. */
  #shut(): void {
    const finish = (): void => this.#exchanges.finish();
    this.#server.shutdown().then(finish, finish);
  }

  /** Deno cannot cut a response that is under way once it shuts down: who makes it, ends it. */
  abort(): void {
    this.#exchanges.finish();
  }
}
