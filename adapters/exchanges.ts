/** The requests of one HTTP listener that are under way: what the servers of all runtimes have in common. */
import { Address } from "../runtime/core/endpoint.ts";
import type { BodyFailure, Exchange, HttpTable } from "../runtime/core/exchange.ts";
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

/** One of them. What a request need not have is made when somebody asks for it. */
export abstract class OpenExchange implements Exchange {
  data: unknown = undefined;
  over = false;
  left = false;
  /** What {@link streams} has answered last. */
  streaming = false;
  /** The next one that {@link Exchanges.endSoon} ends. */
  next: OpenExchange | undefined = undefined;
  protected readonly exchanges: Exchanges;
  #remote: Address | undefined = undefined;

  constructor(exchanges: Exchanges) {
    this.exchanges = exchanges;
  }

  get remote(): Address {
    return this.#remote ??= this.exchanges.unix ? UNNAMED_UNIX : this.findPeer() ?? FORGOTTEN;
  }

  get local(): Address {
    return this.exchanges.local;
  }

  /** Of TCP; undefined when it is too late to ask. */
  protected abstract findPeer(): Address | undefined;
  abstract isGone(thrown: unknown): boolean;
  abstract streams(response: Response): boolean;
  abstract watch(): void;
}

/** One of a runtime that says by the signal of a request that its peer has left. */
export abstract class SignalledExchange extends OpenExchange {
  protected readonly request: Request;

  constructor(exchanges: Exchanges, request: Request) {
    super(exchanges);
    this.request = request;
  }

  isGone(thrown: unknown): boolean {
    return this.left || this.request.signal.aborted || this.exchanges.ways.lost(thrown);
  }

  streams(response: Response): boolean {
    // The answer to HEAD has no body, whatever it was made of.
    if (!this.exchanges.ways.streams(response) || this.request.method === "HEAD") return false;
    return this.streaming = true;
  }

  watch(): void {
    this.request.signal.addEventListener("abort", () => this.exchanges.end(this, true));
  }
}

/** What one runtime does in its own way. */
export interface HttpWays {
  /** See {@link Exchange.streams}. */
  streams(response: Response): boolean;
  /** Whether a request's body has thrown this because its peer has left. */
  lost(thrown: unknown): boolean;
}

export class Exchanges {
  readonly table: HttpTable;
  /** Of the listener; set again as soon as its port is known. */
  local: Address;
  readonly ways: HttpWays;
  readonly #over = Promise.withResolvers<void>();
  /** Those that {@link endSoon} ends, as a list. */
  #first: OpenExchange | undefined = undefined;
  #last: OpenExchange | undefined = undefined;
  readonly #endAll = (): void => {
    let each = this.#first;
    this.#first = this.#last = undefined;
    for (; each !== undefined; each = each.next) this.end(each, false);
  };

  constructor(table: HttpTable, local: Address, ways: HttpWays) {
    this.table = table;
    this.local = local;
    this.ways = ways;
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
   * somebody else have the turn, whose handler would keep it back.
   */
  endSoon(exchange: OpenExchange): void {
    if (this.#last === undefined) {
      this.#first = exchange;
      queueMicrotask(this.#endAll);
    } else this.#last.next = exchange;
    this.#last = exchange;
  }

  /** The last that is heard of it; may be called twice. */
  end(exchange: Exchange, gone: boolean, failed?: BodyFailure): void {
    const open = exchange as OpenExchange;
    if (open.over) return;
    open.over = true;
    open.left = gone;
    this.table.close(open, gone, failed);
  }

  /** See {@link over}. */
  finish(): void {
    this.#over.resolve();
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
