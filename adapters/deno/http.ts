/**
 * HTTP on `Deno.serve`. It listens no more once an accept has failed, be it for want of descriptors;
 * the connections that it has are served on. So there is another descriptor for the socket, with which
 * a new server goes on.
 */
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { Exchange, HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import { fromKernelPath, tcpAddress } from "../addresses.ts";
import { acceptFailure, isExhausted } from "../errno.ts";
import { isHost, isReadable, SignalledExchanges } from "../exchanges.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener } from "../listener.ts";
import { NativeHttp } from "../native-http.ts";
import { descriptorLimit } from "../posix/descriptor-limit.ts";
import { release } from "../posix/inherited.ts";
import { duplicate } from "../posix/passing.ts";
import type { RuntimeEpoll } from "../posix/runtime-epoll.ts";
import { askKernel } from "./clock.ts";
import { hostOf, isUntouched, isWhole, streams } from "./made-of.ts";
import { STREAM } from "./options.ts";

/** What `Deno.serve` sets by itself; noDelay it always does. */
const OWN = STREAM.filter((name) => name !== "noDelay");

/** As {@link Adapter.serve}. */
export async function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
  tls?: TlsContext,
): Promise<HttpListener> {
  if (tls === undefined) {
    return await openListener(endpoint, options, (target) => new DenoHttp(target, table).prepare());
  }
  const [{ serveTls }, { bridge }] = await Promise.all([
    import("../http/listener.ts"),
    import("./requests.ts"),
    // What accepting is paused with. Later there may be no descriptor to load it with, which ends Deno.
    descriptorLimit.load(),
  ]);
  return await serveTls(endpoint, table, options, tls, bridge);
}

/** Milliseconds between two trials to go on. */
const RETRY = 1000;

/** Where one server listens. */
type ServeTarget = { readonly path: string } | {
  readonly hostname: string;
  readonly port: number;
  readonly reusePort?: true;
};

class DenoHttp extends NativeHttp {
  readonly ownOptions = OWN;
  /** The last one listens; of those before there may be connections. */
  readonly #servers: Deno.HttpServer[] = [];
  readonly #handler: Deno.ServeHandler;
  #spare = -1;
  #stopped = false;

  constructor(target: ListenTarget, table: HttpTable) {
    const exchanges = new DenoExchanges(table, target.address());
    super(target, exchanges);
    this.#handler = (request, info) => {
      if (!isHost(hostOf(request)) || !isReadable(request.url)) {
        return new Response(null, { status: 400 });
      }
      const exchange = table.open(exchanges, request, info);
      const response = table.answer(exchange);
      if (!(response instanceof Promise)) return this.#leave(exchange, response, info, true);
      return response.then((response) => this.#leave(exchange, response, info, false));
    };
  }

  #leave(
    exchange: Exchange,
    response: Response,
    info: Deno.ServeHandlerInfo,
    atOnce: boolean,
  ): Response {
    const answer = this.closed || exchange.last ? last(response) : response;
    // Of what is whole Deno says at once that it is completed, whoever may have left.
    if (isWhole(answer)) this.exchanges.endSoon(exchange, atOnce);
    else {
      info.completed.then(
        () => this.exchanges.end(exchange, false),
        () => this.exchanges.end(exchange, true),
      );
    }
    return answer;
  }

  override async prepare(): Promise<this> {
    await super.prepare();
    if (this.epoll !== undefined) askKernel(this.epoll.libc);
    return this;
  }

  protected listen({ reusePort }: SocketOptions): Address {
    const { inherited, path, host, port } = this.target;
    if (inherited !== undefined) return this.#servePlaceholder();
    if (path !== undefined) return this.#serve({ path });
    // The key itself asks for --unstable-net, whatever its value.
    const bound = this.#serve({
      hostname: host,
      port,
      ...(reusePort === true && { reusePort }),
    });
    this.address = this.target.address(bound.port);
    return bound;
  }

  /** On a socket that another one takes the place of. Its family has to be the same. */
  #servePlaceholder(): Address {
    return this.#serve(
      this.target.unix
        ? { path: `\0portico-${crypto.randomUUID()}` }
        : { hostname: "127.0.0.1", port: 0 },
    );
  }

  #serve(place: ServeTarget): Address {
    const server: Deno.HttpServer<Deno.Addr> = "path" in place
      ? Deno.serve({ ...place, onListen() {} }, this.#handler)
      : Deno.serve({ ...place, onListen() {} }, this.#handler);
    this.#servers.push(server);
    server.finished.catch((error) => this.#fail(error));
    if ("path" in place) return new Address("unix", "", 0, fromKernelPath(place.path));
    return new Address("tcp", place.hostname, (server.addr as Deno.NetAddr).port, "");
  }

  #fail(error: unknown): void {
    if (this.closed) return;
    this.#stopped = true;
    if (!isExhausted(error)) this.failure(acceptFailure(error));
    descriptorLimit.exhausted(this);
  }

  protected async openEpoll(): Promise<RuntimeEpoll> {
    const { openDescriptorSwap } = await import("./descriptor-swap.ts");
    const swap = await openDescriptorSwap();
    if (swap !== undefined) return swap.epoll;
    throw new PorticoError("NOT_SUPPORTED", "Deno.serve takes no socket that is open already");
  }

  override prepareToPause(): void {
    super.prepareToPause();
    if (this.#spare < 0 && this.epoll !== undefined && this.descriptor >= 0) {
      this.#spare = duplicate(this.epoll.libc, this.descriptor);
    }
  }

  override pauseAccepting(): void {
    if (!this.#stopped) super.pauseAccepting();
  }

  override resumeAccepting(): void {
    if (this.#stopped) void this.#serveAgain();
    else super.resumeAccepting();
  }

  async #serveAgain(): Promise<void> {
    const count = this.#servers.length;
    try {
      if (this.#spare >= 0) {
        this.swapSocket(await this.openEpoll(), this.#servePlaceholder(), this.#spare);
      } else if (!this.target.unix) {
        this.forgetSocket();
        this.#serve({ hostname: this.target.host, port: this.address.port });
      } else throw new PorticoError("NOT_SUPPORTED", "Deno.serve has given up the socket");
      this.#spare = -1;
      this.#stopped = false;
    } catch (error) {
      this.failure(acceptFailure(error));
      for (const server of this.#servers.splice(count)) void server.shutdown();
      setTimeout(() => this.closed || descriptorLimit.exhausted(this), RETRY);
      return;
    }
    if (this.closed) return void this.stop();
    this.prepareToPause();
  }

  /** Of those that have failed, too. */
  protected async stop(): Promise<void> {
    const over = Promise.allSettled(this.#servers.map((server) => server.shutdown()));
    const spare = this.#spare;
    this.#spare = -1;
    if (spare >= 0) await release(spare);
    await over;
  }

  /** Deno cannot cut a response that is under way once it shuts down: who makes it, ends it. */
  abort(): void {
    this.exchanges.finish();
  }
}

/** The own of an exchange is what Deno tells of its request. */
class DenoExchanges extends SignalledExchanges {
  /** As long as the request is not answered. */
  protected findPeer({ own }: Exchange): Address | undefined {
    try {
      const { hostname, port } = (own as Deno.ServeHandlerInfo).remoteAddr as Deno.NetAddr;
      return tcpAddress(hostname, port);
    } catch {
      return undefined;
    }
  }

  isWhole(response: Response): boolean {
    return isUntouched(response);
  }

  protected bodyStreams(response: Response): boolean {
    return streams(response);
  }

  /** The signal of the request aborts later than this is thrown, or not at all. */
  protected lost(thrown: unknown): boolean {
    const { BadResource, Http } = Deno.errors;
    return thrown instanceof BadResource && thrown.message.includes("read body") ||
      thrown instanceof Http && thrown.message.includes("EOF");
  }
}

/** The same, as what says that its connection ends; Deno leaves that to the peer. */
function last(response: Response): Response {
  try {
    response.headers.set("connection", "close");
    return response;
  } catch {
    // Headers of what `fetch` or `redirect` has made cannot be changed.
    return last(new Response(response.body, response));
  }
}
