/**
 * HTTP on `Bun.serve`. It takes no descriptor; a socket that is there already is put under the
 * descriptor of a listener that is Bun's (`posix/poller.ts`), as on Deno.
 */
import { dlopen, ptr } from "bun:ffi";
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { Exchange, HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { Exchanges, GRACE, type Site, siteOf } from "../exchanges.ts";
import { bindFailure } from "../posix/failure.ts";
import { duplicateOf } from "../posix/inherited.ts";
import { LIBC_FILES, openLibc } from "../posix/libc.ts";
import { findDescriptor, setRemaining } from "../posix/listen.ts";
import { Poller } from "../posix/poller.ts";
import { STREAM } from "./options.ts";

/** Seconds without a byte after which an idle connection is closed. */
const IDLE = 60;

/** What `Bun.serve` sets by itself; noDelay it always does. */
const OWN = STREAM.filter((name) => name !== "noDelay");

/** As {@link Adapter.serve}. */
export async function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
): Promise<HttpListener> {
  let site: Site | undefined;
  let listener: BunHttp | undefined;
  try {
    site = await siteOf(endpoint);
    listener = new BunHttp(site, table, options);
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

class BunHttp implements HttpListener {
  readonly address: Address;
  readonly #site: Site;
  readonly #exchanges: Exchanges;
  readonly #server: Bun.Server<undefined>;
  #fd = -1;
  #closed = false;

  constructor(site: Site, table: HttpTable, { reusePort, ipv6Only }: SocketOptions) {
    this.#site = site;
    this.#exchanges = new Exchanges(table);
    const common = {
      development: false,
      fetch: (request: Request, server: Bun.Server<undefined>) => this.#answer(request, server),
    } as const;
    if (site.fd >= 0 || site.path === undefined) {
      this.#server = Bun.serve({
        ...common,
        idleTimeout: IDLE,
        hostname: site.fd >= 0 ? "127.0.0.1" : site.host,
        port: site.fd >= 0 ? 0 : site.port,
        // Silent, it is on where `development` is off.
        reusePort: reusePort === true,
        ...(ipv6Only === true && { ipv6Only }),
      });
    } else this.#server = Bun.serve({ ...common, unix: site.path });
    this.address = site.address(site.fd >= 0 ? undefined : this.#server.port);
    this.#exchanges.local = this.address;
  }

  get over(): Promise<void> {
    return this.#exchanges.over;
  }

  #answer(request: Request, server: Bun.Server<undefined>): Response | Promise<Response> {
    const from = this.address.path === "" ? server.requestIP(request) : null;
    const exchange = this.#exchanges.begin(from?.address, from?.port, request);
    const response = this.#exchanges.table.request(exchange, request);
    if (response instanceof Response) return this.#leave(exchange, response);
    // It may take as long as it likes.
    server.timeout(request, 0);
    return response.then((response) => this.#leave(exchange, response));
  }

  /** Nobody is told when a response has gone out: when it is Bun's, it is over. */
  #leave(exchange: Exchange, response: Response): Response {
    queueMicrotask(() => this.#exchanges.end(exchange, false));
    return response;
  }

  /** Listens on a socket that was there already. */
  async graft(fd: number): Promise<void> {
    const own = new Address("tcp", "127.0.0.1", this.#server.port!, "");
    this.#fd = await (await openPoller()).graft(own, fd);
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
      return await (await openPoller()).forget(await this.find());
    } catch {
      return false;
    }
  }

  /** Closes the listener and idle connections at once; the others when they have been answered. */
  #shut(): void {
    const finish = (): void => this.#exchanges.finish();
    this.#server.stop().then(finish, finish);
  }

  abort(): void {
    void this.#server.stop(true);
    this.#exchanges.finish();
  }
}

let poller: Poller | undefined;

/** @throws Error when libc cannot be opened. */
async function openPoller(): Promise<Poller> {
  return poller ??= new Poller(await openLibc(), openControl());
}

function openControl(): ConstructorParameters<typeof Poller>[1] {
  for (const file of LIBC_FILES) {
    try {
      const { symbols } = dlopen(file, {
        epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
      });
      return (epoll, operation, fd, event) => symbols.epoll_ctl(epoll, operation, fd, ptr(event));
    } catch {
      // Another libc has another name.
    }
  }
  throw new Error("there is no libc to open");
}
