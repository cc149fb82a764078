/** Connections of HTTP that other services hand to one: see `reception.ts`. */
import type { Origin } from "../core/descriptors.ts";
import { Address } from "../core/endpoint.ts";
import type { HttpConnections, HttpTable } from "../core/exchange.ts";
import type { Adapter } from "../core/contract.ts";
import type { Service } from "../core/service.ts";
import type { TlsServerContext } from "../core/tls.ts";
import type { HeldConnection } from "./held-connection.ts";
import { withHandshakes } from "./requests.ts";

/** Of one service. */
export class HandedRequests {
  readonly #adapter: Pick<Adapter, "requests">;
  readonly #table: HttpTable;
  readonly #service: Service;
  /** Where newcomers go, by their TLS. */
  readonly #taking: Map<TlsServerContext | undefined, Promise<HttpConnections>> = new Map();
  /** The same, once they are there. */
  readonly #made: Map<TlsServerContext | undefined, HttpConnections> = new Map();
  /** All that may have requests under way. */
  readonly #serving: Set<HttpConnections> = new Set();

  constructor(adapter: Pick<Adapter, "requests">, table: HttpTable, service: Service) {
    this.#adapter = adapter;
    this.#table = table;
    this.#service = service;
  }

  /** @throws PorticoError when the socket is none, or gone; the descriptor is closed then. */
  async adopt(fd: number, origin: Origin, tls: TlsServerContext | undefined): Promise<void> {
    const local = addressOf(origin.local, tls);
    const connections = await this.#takingOf(local, tls);
    connections.adopt(fd, { remote: origin.remote, local });
  }

  /** One that somebody has looked at. */
  take(held: HeldConnection, tls: TlsServerContext | undefined): void | Promise<void> {
    const local = addressOf(held.local, tls);
    const made = this.#made.get(tls);
    if (made !== undefined) return serve(held, local, made);
    held.give();
    const taking = this.#takingOf(local, tls);
    return taking.then((connections) => {
      if (this.#taking.get(tls) === taking) this.#made.set(tls, connections);
      serve(held, local, connections);
    });
  }

  #takingOf(local: Address, tls: TlsServerContext | undefined): Promise<HttpConnections> {
    let taking = this.#taking.get(tls);
    if (taking === undefined) this.#taking.set(tls, taking = this.#make(local, tls));
    return taking;
  }

  async #make(local: Address, tls: TlsServerContext | undefined): Promise<HttpConnections> {
    const table = tls === undefined
      ? this.#table
      : await withHandshakes(this.#table, this.#service);
    const connections = await this.#adapter.requests(local, table, tls);
    this.#serving.add(connections);
    void connections.over.then(() => void this.#serving.delete(connections));
    return connections;
  }

  /** Nobody asks anew: idle connections are closed, the others when they have their answers. */
  async close(keep: boolean): Promise<void> {
    const all = [...this.#taking.values()];
    this.#taking.clear();
    this.#made.clear();
    for (const each of await Promise.all(all)) each.close(keep);
  }

  /** Cuts what is under way. */
  async abort(): Promise<void> {
    await this.close(false);
    for (const each of this.#serving) each.abort();
  }
}

/** One of which nothing is left has asked nobody. */
function serve(held: HeldConnection, local: Address, connections: HttpConnections): void {
  if (held.lost) return;
  const { remote, last } = held;
  connections.take!(held.release(), { remote, local }, last);
}

function addressOf({ transport, host, port, path }: Address, tls: unknown): Address {
  const named = transport === "unix" ? "http+unix" : tls === undefined ? "http" : "https";
  return new Address(named, host, port, path);
}
