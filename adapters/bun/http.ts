/** HTTP on `Bun.serve`. */
import { estimateShallowMemoryUsageOf } from "bun:jsc";
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import type { Exchange, HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import { tcpAddress } from "../addresses.ts";
import { DEFAULT_HOST, isReadable, SignalledExchanges } from "../exchanges.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener } from "../listener.ts";
import { NativeHttp } from "../native-http.ts";
import { openLibc } from "../posix/libc.ts";
import { RuntimeEpoll } from "../posix/runtime-epoll.ts";
import { STREAM } from "./options.ts";

/** Seconds without a request after which a connection is closed. */
const IDLE = 60;

/** What `Bun.serve` sets by itself; noDelay it always does. */
const OWN = STREAM.filter((name) => name !== "noDelay");

/** As {@link Adapter.serve}. */
export async function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
  tls?: TlsContext,
): Promise<HttpListener> {
  if (tls === undefined) {
    return await openListener(endpoint, options, (target) => new BunHttp(target, table).prepare());
  }
  const [{ serveTls }, { bridge }] = await Promise.all([
    import("../http/listener.ts"),
    import("./requests.ts"),
  ]);
  return await serveTls(endpoint, table, options, tls, bridge);
}

class BunHttp extends NativeHttp {
  readonly ownOptions = OWN;
  readonly #exchanges: BunExchanges;
  readonly #table: HttpTable;
  #server: Bun.Server<undefined> | undefined = undefined;

  constructor(target: ListenTarget, table: HttpTable) {
    const exchanges = new BunExchanges(table, target.address());
    super(target, exchanges);
    this.#exchanges = exchanges;
    this.#table = table;
  }

  protected listen({ reusePort, ipv6Only }: SocketOptions): Address {
    const { inherited, path, host, port } = this.target;
    // A socket that another one takes the place of: its family does not matter.
    const swapped = inherited !== undefined;
    const common = {
      development: false,
      idleTimeout: IDLE,
      fetch: (request: Request, server: Bun.Server<undefined>) => this.#answer(request, server),
    } as const;
    if (path === undefined) {
      this.#server = Bun.serve({
        ...common,
        hostname: swapped ? "127.0.0.1" : host,
        port: swapped ? 0 : port,
        // Silent, it is on where `development` is off.
        reusePort: reusePort === true,
        ...(ipv6Only === true && { ipv6Only }),
      });
    } else {
      // Its types have idleTimeout for TCP alone; it is heeded here, too.
      const options = { ...common, unix: path };
      this.#server = Bun.serve(options as unknown as Parameters<typeof Bun.serve<undefined>>[0]);
    }
    this.#exchanges.server = this.#server;
    if (!swapped) this.address = this.target.address(this.#server.port);
    return new Address("tcp", "127.0.0.1", this.#server.port ?? 0, "");
  }

  #answer(asked: Request, server: Bun.Server<undefined>): Response | Promise<Response> {
    const request = isReadable(asked.url) ? asked : complete(asked);
    if (request === undefined) return new Response(null, { status: 400 });
    const exchange = this.#table.open(this.#exchanges, request, asked);
    const response = this.#table.answer(exchange);
    if (!(response instanceof Promise)) return this.#leave(exchange, response, asked, true);
    // It may take as long as it likes. Unless it is set again, the connection has no limit ever after.
    server.timeout(asked, 0);
    return response.then((response) => {
      server.timeout(asked, IDLE);
      return this.#leave(exchange, response, asked, false);
    });
  }

  /** Nobody is told when a response has gone out: when it is Bun's, it is over. */
  #leave(
    exchange: Exchange,
    response: Response,
    request: Request,
    atOnce: boolean,
  ): Response {
    // What streams may be silent for long.
    if (exchange.streaming) this.#server!.timeout(request, 0);
    this.#exchanges.endSoon(exchange, atOnce);
    return this.closed || exchange.last ? last(response, exchange.streaming) : response;
  }

  protected stop(): Promise<unknown> {
    return this.#server?.stop() ?? Promise.resolve();
  }

  abort(): void {
    void this.#server?.stop(true);
    this.exchanges.finish();
  }

  protected openEpoll(): Promise<RuntimeEpoll> {
    return openEpoll();
  }
}

/** The own of an exchange is the request as Bun knows it. */
class BunExchanges extends SignalledExchanges {
  server: Bun.Server<undefined> | undefined = undefined;

  /** As long as the request is not answered. */
  protected findPeer({ own }: Exchange): Address | undefined {
    const from = this.server!.requestIP(own as Request);
    return from === null ? undefined : tcpAddress(from.address, from.port);
  }

  /** What a body was made of, Bun says for a price. */
  isWhole(): boolean {
    return false;
  }

  protected bodyStreams(response: Response): boolean {
    return streams(response);
  }

  protected lost(): boolean {
    return false;
  }
}

/** Without a Host, or with one that is none, Bun has a path for a URL. Undefined for what has to be refused. */
function complete(request: Request): Request | undefined {
  if (!request.url.startsWith("/") || request.headers.get("host")) return undefined;
  return new Request(`http://${DEFAULT_HOST}${request.url}`, request);
}

/** Bytes that a response takes beside its body. */
const BARE = estimateShallowMemoryUsageOf(new Response(null));

/**
 * A response whose `body` or `headers` were asked for goes out with others: the type of a string is
 * lost, the range of a file. So: what takes memory is a string or bytes; of the rest (a blob, a file,
 * a stream, also one of a file), Bun's own description of a copy says what it is. What `fetch` has
 * returned passes through untouched.
 */
export function streams(response: Response): boolean {
  if (isInMemory(response)) return false;
  const { status } = response;
  if (status === 204 || status === 304 || response.bodyUsed) return false;
  const copy = response.clone();
  if (!Bun.inspect(copy, { depth: 0 }).includes("\n  ReadableStream {")) return false;
  // The other one has all that comes.
  void copy.body!.cancel().catch(() => {});
  return true;
}

/** Whether its body is a string or bytes. */
export function isInMemory(response: Response): boolean {
  return estimateShallowMemoryUsageOf(response) - BARE - response.statusText.length > 0;
}

/** The same, as the last of its connection. What the core has not made may be sent elsewhere, too. */
function last(response: Response, streams: boolean): Response {
  const last = streams || response.bodyUsed ? response : response.clone();
  last.headers.set("connection", "close");
  return last;
}

let epoll: RuntimeEpoll | undefined;

/** That of this thread. @throws PorticoError NOT_SUPPORTED when libc cannot be opened. */
async function openEpoll(): Promise<RuntimeEpoll> {
  return epoll ??= new RuntimeEpoll(await openLibc());
}
