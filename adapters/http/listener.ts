/** HTTP over TLS: a listener of `node:net`, on any runtime. Those of HTTP on Bun and Deno choose no certificate by name. */
import type { Socket } from "node:net";
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { HttpListener, HttpTable } from "../../runtime/core/exchange.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener } from "../listener.ts";
import { NetListener } from "../node/net-listener.ts";
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

class TlsListener extends NetListener implements HttpListener {
  readonly #http: HttpServer;
  readonly #handshakes: Handshakes;

  constructor(
    target: ListenTarget,
    table: HttpTable,
    options: SocketOptions,
    tls: TlsContext,
    bridge: Bridge,
  ) {
    super(target, options, true);
    this.#http = new HttpServer(bridge, table, this.address, options.noDelay ?? true);
    this.#handshakes = new Handshakes(tls, this.#http, table.handshakes);
  }

  get over(): Promise<void> {
    return this.#http.over;
  }

  override async start(options: SocketOptions): Promise<void> {
    await super.start(options);
    this.#http.exchanges.local = this.address;
  }

  protected arrive(raw: Socket): void {
    this.#handshakes.arrive(raw);
  }

  protected override closeRuntime(keep: boolean): void {
    super.closeRuntime(keep);
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
