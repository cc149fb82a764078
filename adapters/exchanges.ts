/** The requests of one HTTP listener that are under way: what the servers of all runtimes have in common. */
import type { SocketOptions } from "../runtime/core/contract.ts";
import type { Exchange, HttpTable } from "../runtime/core/exchange.ts";
import type { BindableEndpoint } from "../runtime/core/contract.ts";
import { Address, type InternetEndpoint } from "../runtime/core/endpoint.ts";
import { isInherited, readyListener } from "./posix/inherited.ts";
import { stageFile } from "./posix/listen.ts";
import { resolveHost } from "./posix/resolve.ts";

/**
 * Milliseconds that a peer which has connected already has for its request, when its listener is
 * closed and somebody else goes on with the socket: it need not come to grief.
 */
export const GRACE = 1000;

/** The host in the URL of a request that names none, as HTTP/1.0 allows. */
export const NAMELESS = "localhost";

class Underway implements Exchange {
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
  /** Of the listener; set as soon as it is known. */
  local: Address = new Address("http", "", 0, "");
  readonly #over = Promise.withResolvers<void>();

  constructor(table: HttpTable) {
    this.table = table;
  }

  /** The listener is closed, and nothing is under way any more; or nobody waits for what is. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** @param request whose signal tells of a peer that leaves, where nothing else does. */
  begin(host: string | undefined, port: number | undefined, request?: Request): Exchange {
    const remote = host === undefined || this.local.path !== ""
      ? new Address("unix", "", 0, "")
      : new Address("tcp", host.startsWith("::ffff:") ? host.slice(7) : host, port ?? 0, "");
    return new Underway(remote, this, request);
  }

  /** The last that is heard of it; may be called twice. */
  end(exchange: Exchange, gone: boolean): void {
    const underway = exchange as Underway;
    if (underway.over) return;
    underway.over = true;
    this.table.close(underway, gone);
  }

  /** See {@link over}. */
  finish(): void {
    this.#over.resolve();
  }
}

/** A socket file, published or inherited. */
interface Kept {
  release(): void;
}

/** Where an HTTP server is to listen. */
export interface Site {
  /** The socket that is there already; -1 for none. */
  readonly fd: number;
  readonly unix: boolean;
  /** Of a Unix socket that is not there yet: what to bind. */
  readonly path: string | undefined;
  readonly host: string;
  readonly port: number;
  /** The kernel's name for what is bound, for a port that is known by now. */
  bound(port?: number): Address;
  /** What is told of it. */
  address(port?: number): Address;
  /** Lets a Unix socket appear at its path. */
  publish(options: SocketOptions): void;
  /** Removes the file that is ours. May be called twice. */
  release(): void;
}

/**
 * Prepares to serve an endpoint: resolves the host, makes the path of a Unix socket free.
 *
 * @throws PorticoError ENOTFOUND, EADDRINUSE, ENAMETOOLONG, EACCES; NOT_SUPPORTED for a descriptor
 * that does not listen.
 */
export async function siteOf(endpoint: BindableEndpoint): Promise<Site> {
  if (isInherited(endpoint)) {
    const file: Kept = await readyListener(endpoint);
    const { fd, address, transport } = endpoint;
    return {
      fd,
      unix: transport !== "http",
      path: undefined,
      host: address.host,
      port: address.port,
      bound: () =>
        new Address(
          transport === "http" ? "tcp" : "unix",
          address.host,
          address.port,
          address.path,
        ),
      address: () => address,
      publish() {},
      release: () => file.release(),
    };
  }
  const file = await stageFile(endpoint);
  if (file !== undefined) {
    const bound = new Address("unix", "", 0, file.path.replace(/^\0/, "@"));
    const address = new Address("http+unix", "", 0, file.address.path);
    return {
      fd: -1,
      unix: true,
      path: file.path,
      host: "",
      port: 0,
      bound: () => bound,
      address: () => address,
      publish: ({ mode }) => file.publish(mode),
      release: () => file.release(),
    };
  }
  const internet = endpoint as InternetEndpoint;
  const { host } = await resolveHost(internet);
  return {
    fd: -1,
    unix: false,
    path: undefined,
    host,
    port: internet.port,
    bound: (port = internet.port) => new Address("tcp", host, port, ""),
    address: (port = internet.port) => new Address("http", host, port, ""),
    publish() {},
    release() {},
  };
}
