/** HTTP on `Bun.serve`. */
import { dlopen, ptr } from "bun:ffi";
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { Exchange, HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { NAMELESS } from "../exchanges.ts";
import { NativeHttp, serveOn } from "../http.ts";
import { LIBC_FILES, openLibc } from "../posix/libc.ts";
import { Poller } from "../posix/poller.ts";
import { STREAM } from "./options.ts";

/** Seconds without a request after which a connection is closed. */
const IDLE = 60;

/** What `Bun.serve` sets by itself; noDelay it always does. */
const OWN = STREAM.filter((name) => name !== "noDelay");

/** As {@link Adapter.serve}. */
export function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
): Promise<HttpListener> {
  return serveOn(endpoint, options, OWN, (site) => new BunHttp(site, table));
}

class BunHttp extends NativeHttp {
  address: Address = new Address("http", "", 0, "");
  #server!: Bun.Server<undefined>;

  protected listen({ reusePort, ipv6Only }: SocketOptions): Address {
    const { site } = this;
    const common = {
      development: false,
      idleTimeout: IDLE,
      fetch: (request: Request, server: Bun.Server<undefined>) => this.#answer(request, server),
    } as const;
    if (site.fd >= 0 || site.path === undefined) {
      this.#server = Bun.serve({
        ...common,
        hostname: site.fd >= 0 ? "127.0.0.1" : site.host,
        port: site.fd >= 0 ? 0 : site.port,
        // Silent, it is on where `development` is off.
        reusePort: reusePort === true,
        ...(ipv6Only === true && { ipv6Only }),
      });
    } else {
      // Its types have idleTimeout for TCP alone; it is heeded here, too.
      const options = { ...common, unix: site.path };
      this.#server = Bun.serve(options as unknown as Parameters<typeof Bun.serve<undefined>>[0]);
    }
    this.address = site.address(site.fd >= 0 ? undefined : this.#server.port);
    return new Address("tcp", "127.0.0.1", this.#server.port ?? 0, "");
  }

  #answer(asked: Request, server: Bun.Server<undefined>): Response | Promise<Response> {
    const request = asked.url.startsWith("http") ? asked : complete(asked);
    if (request === undefined) return new Response(null, { status: 400 });
    const from = this.address.path === "" ? server.requestIP(asked) : null;
    const exchange = this.exchanges.begin(from?.address, from?.port, request);
    const response = this.exchanges.table.request(exchange, request);
    if (response instanceof Response) return this.#leave(exchange, response, asked);
    // It may take as long as it likes. Unless it is set again, the connection has no limit ever after.
    server.timeout(asked, 0);
    return response.then((response) => {
      server.timeout(asked, IDLE);
      return this.#leave(exchange, response, asked);
    });
  }

  /** Nobody is told when a response has gone out: when it is Bun's, it is over. */
  #leave(exchange: Exchange, response: Response, request: Request): Response {
    // What streams may be silent for long.
    if (streams(response)) this.#server.timeout(request, 0);
    queueMicrotask(() => this.exchanges.end(exchange, false));
    return response;
  }

  protected shutdown(): Promise<unknown> {
    return this.#server === undefined ? Promise.resolve() : this.#server.stop();
  }

  abort(): void {
    void this.#server.stop(true);
    this.exchanges.finish();
  }

  protected openPoller(): Promise<Poller> {
    return openPoller();
  }
}

/** Without a Host, or with one that is none, Bun has a path for a URL. Undefined for what has to be refused. */
function complete(request: Request): Request | undefined {
  if (!request.url.startsWith("/") || request.headers.has("host")) return undefined;
  return new Request(`http://${NAMELESS}${request.url}`, request);
}

function streams({ headers }: Response): boolean {
  return headers.has("transfer-encoding") ||
    headers.get("content-type")?.startsWith("text/event-stream") === true;
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
