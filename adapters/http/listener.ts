/** HTTP over TLS: a listener of `node:net`, on any runtime. Those of HTTP on Bun and Deno choose no certificate by name. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import type { BindableEndpoint, OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import { acceptFailure } from "../errno.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener, ReopenedListener } from "../listener.ts";
import { descriptorOf } from "../node/handle.ts";
import { listenOn, listenOptions, setKeepAlive, STREAM } from "../node/options.ts";
import { descriptorLimit, lowestFree } from "../posix/descriptor-limit.ts";
import { Handshakes } from "./handshake.ts";
import { type Bridge, HttpServer } from "./server.ts";

/** As {@link Adapter.serve}, with TLS. */
export function serveTls(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
  tls: TlsContext,
  bridge: Bridge,
): Promise<HttpListener> {
  return openListener(
    endpoint,
    options,
    (target) => new TlsListener(target, table, options, tls, bridge),
  );
}

class TlsListener extends ReopenedListener implements HttpListener {
  readonly ownOptions: readonly OptionName[] = STREAM;
  readonly #options: SocketOptions;
  readonly #http: HttpServer;
  readonly #handshakes: Handshakes;
  #server: Server;
  /** Where the runtime does not show it. */
  #fd = -1;
  #looking = false;

  constructor(
    target: ListenTarget,
    table: HttpTable,
    options: SocketOptions,
    tls: TlsContext,
    bridge: Bridge,
  ) {
    super(target);
    this.#options = options;
    this.#http = new HttpServer(bridge, table, this.address, options.noDelay ?? true);
    this.#handshakes = new Handshakes(tls, this.#http, table.handshakes);
    this.#server = this.#makeServer();
  }

  get over(): Promise<void> {
    return this.#http.over;
  }

  async start(options: SocketOptions): Promise<void> {
    await this.#listen(listenOptions(this.target, options));
    if (this.target.inherited === undefined && !this.target.unix) {
      this.address = this.target.address((this.#server.address() as AddressInfo).port);
    }
    this.#http.exchanges.local = this.address;
    // It keeps its number; and whoever had it before may have another one for the same socket still.
    this.#fd = this.target.inherited?.fd ?? -1;
    if (descriptorOf(this.#server) < 0) this.prepareToPause = () => void this.#findOwn();
    descriptorLimit.add(this);
  }

  protected get ownDescriptor(): number {
    const shown = descriptorOf(this.#server);
    return shown >= 0 ? shown : this.#fd;
  }

  /** Only where the runtime shows no descriptor: see {@link PausableListener}. */
  prepareToPause?: () => void;

  async #findOwn(): Promise<void> {
    if (this.#fd < 0) this.#fd = await this.find();
  }

  #makeServer(): Server {
    const { noDelay = true } = this.#options;
    const options = { allowHalfOpen: true, pauseOnConnect: true, noDelay };
    return createServer(options, (raw: Socket) => {
      setKeepAlive(raw, this.#options);
      const fd = descriptorOf(raw);
      if (fd < 0) this.#look();
      this.#handshakes.arrive(raw);
      if (fd >= 0) descriptorLimit.accepted(fd);
    });
  }

  /**
   * Deno shows none. It accepts up to 128 connections before it tells of the first, nobody any more once descriptors have
   * run out meanwhile, and a server that closes cuts off those that were not told of yet. So there is a look before the
   * first of them may give its own back, and what follows comes after the last.
   */
  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    const lowest = lowestFree();
    process.nextTick(() => {
      this.#looking = false;
      descriptorLimit.accepted(lowest);
    });
  }

  async #listen(where: Parameters<typeof listenOn>[1]): Promise<void> {
    const server = this.#server;
    await listenOn(server, where);
    // From here on an error is an accept that failed.
    server.on("error", (error) => this.failure(acceptFailure(error)));
  }

  protected stopListening(): void {
    this.#server.close();
    this.#fd = -1;
  }

  protected async listenOn(fd: number): Promise<void> {
    this.#server = this.#makeServer();
    await this.#listen({ fd });
    if (this.prepareToPause !== undefined) this.#fd = fd;
  }

  protected closeRuntime(keep: boolean): void {
    if (this.#server.listening) this.#server.close();
    if (!keep) this.#handshakes.abort();
    this.#http.close(keep);
  }

  failure(error: PorticoError): void {
    this.#http.exchanges.table.failure(error);
  }

  abort(): void {
    this.#handshakes.abort();
    this.#http.abort();
  }
}
