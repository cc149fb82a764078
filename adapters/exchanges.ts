/** The requests of one HTTP listener that are under way: what the servers of all runtimes have in common. */
import type { Address } from "../runtime/core/endpoint.ts";
import type { Exchange, HttpTable } from "../runtime/core/exchange.ts";
import { tcpAddress, UNNAMED_UNIX } from "./addresses.ts";

/**
 * Milliseconds that a connection without a request so far is still served, when its listener is closed
 * and somebody else goes on with the socket: nobody has done wrong who has connected in time.
 */
export const GRACE = 1000;

/** The host in the URL of a request that names none, as HTTP/1.0 allows. */
export const DEFAULT_HOST = "localhost";

class OpenExchange implements Exchange {
  data: unknown = undefined;
  readonly remote: Address;
  readonly local: Address;
  over = false;
  readonly #exchanges: Exchanges;
  readonly #request: Request | undefined;

  constructor(remote: Address, exchanges: Exchanges, request: Request | undefined) {
    this.remote = remote;
    this.local = exchanges.local;
    this.#exchanges = exchanges;
    this.#request = request;
  }

  watch(): void {
    this.#request?.signal.addEventListener("abort", () => this.#exchanges.end(this, true));
  }
}

export class Exchanges {
  readonly table: HttpTable;
  /** Of the listener; set again as soon as its port is known. */
  local: Address;
  readonly #over = Promise.withResolvers<void>();

  constructor(table: HttpTable, local: Address) {
    this.table = table;
    this.local = local;
  }

  /** The listener is closed, and nothing is under way any more; or nobody waits for what is. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** @param request whose signal tells of a peer that leaves, where nothing else does. */
  begin(host: string | undefined, port: number | undefined, request?: Request): Exchange {
    const unix = host === undefined || this.local.path !== "";
    return new OpenExchange(unix ? UNNAMED_UNIX : tcpAddress(host, port), this, request);
  }

  /** The last that is heard of it; may be called twice. */
  end(exchange: Exchange, gone: boolean): void {
    const open = exchange as OpenExchange;
    if (open.over) return;
    open.over = true;
    this.table.close(open, gone);
  }

  /** See {@link over}. */
  finish(): void {
    this.#over.resolve();
  }
}
