/** The requests of one HTTP listener that are under way: what the servers of all runtimes have in common. */
import { Address } from "../runtime/core/endpoint.ts";
import type { BodyFailure, Exchange, HttpSide, HttpTable } from "../runtime/core/exchange.ts";
import { follow, isAwaited } from "./followed-request.ts";
import type { HiddenConnections } from "./posix/hidden-connections.ts";
import { UNNAMED_UNIX } from "./addresses.ts";

/**
 * Milliseconds that a connection without a request so far is still served, when its listener is closed
 * and somebody else goes on with the socket: nobody has done wrong who has connected in time.
 */
export const GRACE = 1000;

/** The host in the URL of a request that names none, as HTTP/1.0 allows. */
export const DEFAULT_HOST = "localhost";

/** The peer of a TCP connection of which nothing is known any more. */
const FORGOTTEN = new Address("tcp", "", 0, "");

export abstract class Exchanges implements HttpSide {
  readonly table: HttpTable;
  /** Of the listener; set again as soon as its port is known. */
  local: Address;
  readonly #over = Promise.withResolvers<void>();
  /** Those that {@link endSoon} ends, as a list. */
  #first: Exchange | undefined = undefined;
  #last: Exchange | undefined = undefined;
  readonly #endAll = (): void => {
    let each = this.#first;
    this.#first = this.#last = undefined;
    for (; each !== undefined; each = each.following) this.end(each, false);
  };

  constructor(table: HttpTable, local: Address) {
    this.table = table;
    this.local = local;
  }

  /** Of TCP; undefined when it is too late to ask. */
  protected abstract findPeer(exchange: Exchange): Address | undefined;
  abstract watch(exchange: Exchange): void;
  abstract isGone(exchange: Exchange, thrown: unknown): boolean;
  abstract isWhole(response: Response): boolean;
  abstract streams(exchange: Exchange, response: Response): boolean;

  remoteOf(exchange: Exchange): Address {
    return this.unix ? UNNAMED_UNIX : this.findPeer(exchange) ?? FORGOTTEN;
  }

  /** The listener is closed, and nothing is under way any more; or nobody waits for what is. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** The peers have no addresses. */
  get unix(): boolean {
    return this.local.path !== "" || this.local.transport === "http+unix";
  }

  /**
   * The response is the runtime's, as soon as whoever calls has returned it: not before that may
   * somebody else have the turn, whose handler would keep it back. Where nobody waits for that, it is told at once.
   *
   * @param atOnce whoever calls returns to the runtime itself.
   */
  endSoon(exchange: Exchange, atOnce: boolean): void {
    if (atOnce && !this.table.isAwaited(exchange)) return this.end(exchange, false);
    if (this.#last === undefined) {
      this.#first = exchange;
      queueMicrotask(this.#endAll);
    } else this.#last.following = exchange;
    this.#last = exchange;
  }

  /** The last that is heard of it; may be called twice. */
  end(exchange: Exchange, gone: boolean, failed?: BodyFailure): void {
    if (exchange.closed) return;
    exchange.closed = true;
    exchange.left = gone;
    this.table.close(exchange, gone, failed);
  }

  /** See {@link over}. */
  finish(): void {
    this.#over.resolve();
  }
}

/** Those of a runtime that says by the signal of a request that its peer has left. */
export abstract class SignalledExchanges extends Exchanges {
  /** Whether a response has a body that streams. */
  protected abstract bodyStreams(response: Response): boolean;
  /** Whether a request's body has thrown this because its peer has left. */
  protected abstract lost(thrown: unknown): boolean;
  /** The kernel's word of connections, where it can be asked. */
  connections: HiddenConnections | undefined = undefined;

  follow({ request }: Exchange): void {
    follow(request);
  }

  incoming({ request, remote }: Exchange): number | undefined {
    if (!isAwaited(request) || this.unix) return undefined;
    return this.connections?.received(remote, this.local.port);
  }

  /**
   * Of a request that has not come as a whole nothing can follow on its connection. A runtime that waits for
   * the rest of it after the answer, as Deno, is left to wait for a moment.
   */
  cut(exchange: Exchange): void {
    const { request, remote, last } = exchange;
    if (last || !isAwaited(request)) return;
    exchange.last = true;
    setTimeout(() => {
      if (isAwaited(request)) this.connections?.end(remote, this.local.port);
    }, GRACE);
  }

  isGone({ left, request }: Exchange, thrown: unknown): boolean {
    return left || request.signal.aborted || this.lost(thrown);
  }

  streams(exchange: Exchange, response: Response): boolean {
    // The answer to HEAD has no body, whatever it was made of.
    if (!this.bodyStreams(response) || exchange.request.method === "HEAD") return false;
    return exchange.streaming = true;
  }

  watch(exchange: Exchange): void {
    exchange.request.signal.addEventListener("abort", () => this.end(exchange, true));
  }
}

/** Whether a response says that its body comes bit by bit. */
export function saysThatItStreams({ headers }: Response): boolean {
  return headers.has("transfer-encoding") ||
    headers.get("content-type")?.startsWith("text/event-stream") === true;
}

/** RFC 3986, section 3.2: a name or an address, and a port. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;

/** Of the Host that was asked last, which is mostly the next one's. */
let lastHost = DEFAULT_HOST;

/**
 * Whether that is a host, of which a URL can be made; none, and an empty one, are the default. Some
 * runtimes make a URL of whatever is there: another path, of "a/b?", or one that nobody can read.
 */
export function isHost(host: string | null | undefined): boolean {
  if (!host || host === lastHost) return true;
  if (!HOST.test(host) || !URL.canParse(`http://${host}/`)) return false;
  lastHost = host;
  return true;
}

/** With what the URL of the last request began, and mostly the next one does. */
let lastOrigin = `http://${DEFAULT_HOST}/`;

/** Whether that is an absolute URL that can be read; its request may have named another host than Host. */
export function isReadable(url: string): boolean {
  if (url.startsWith(lastOrigin)) return true;
  if (!URL.canParse(url)) return false;
  lastOrigin = url.slice(0, url.indexOf("/", "https://".length) + 1) || lastOrigin;
  return true;
}
