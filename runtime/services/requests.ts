/** How the requests of a service come: to a listener of HTTP, or by descriptor where somebody looks at each connection first. */
import type { BindableEndpoint, Listener, SocketOptions } from "../core/contract.ts";
import type { AdmitTable, Descriptors } from "../core/descriptors.ts";
import { Address } from "../core/endpoint.ts";
import type { HttpConnections, HttpListener, HttpTable } from "../core/exchange.ts";
import type { Service } from "../core/service.ts";

/** The same table, with what is told of handshakes. */
export async function withHandshakes(table: HttpTable, service: Service): Promise<HttpTable> {
  const { RequestHandshakes } = await import("../core/handshake/requests.ts");
  return { ...table, handshakes: new RequestHandshakes(service) };
}

/**
 * Listens, and has each connection looked at before it is one of HTTP.
 *
 * @param connect makes what they go to, for the address that is bound.
 * @param looking is told of each who comes, and tells what it is given of whom it lets pass.
 */
export async function admitRequests(
  descriptors: Descriptors,
  endpoint: BindableEndpoint,
  options: SocketOptions,
  table: HttpTable,
  connect: (local: Address) => Promise<HttpConnections>,
  looking: (table: AdmitTable) => AdmitTable,
): Promise<HttpListener> {
  let connections: HttpConnections | undefined;
  const early: Parameters<AdmitTable["arrive"]>[] = [];
  const listener = await descriptors.admit(
    endpoint,
    looking({
      arrive(fd, { remote, local }) {
        if (connections === undefined) early.push([fd, { remote, local }]);
        // Where it was accepted it is that of the listener, unless a balancer has told of another one.
        else {connections.adopt(
            fd,
            local === listener.address ? { remote, local: address } : { remote, local },
          );}
      },
      failure: (error) => table.failure(error),
    }),
    options,
  );
  const { host, port, path } = listener.address;
  const address = new Address(endpoint.transport, host, port, path);
  try {
    connections = await connect(address);
  } catch (error) {
    await listener.close("fd" in endpoint);
    throw error;
  }
  for (const [fd, origin] of early) connections.adopt(fd, origin);
  return new AdmittedRequests(listener, address, connections);
}

class AdmittedRequests implements HttpListener {
  readonly address: Address;
  readonly #listener: Listener;
  readonly #connections: HttpConnections;

  constructor(listener: Listener, address: Address, connections: HttpConnections) {
    this.#listener = listener;
    this.address = address;
    this.#connections = connections;
  }

  duplicate(): Promise<number> {
    return this.#listener.duplicate();
  }

  async close(keep?: boolean): Promise<void> {
    await this.#listener.close(keep);
    this.#connections.close(keep);
  }

  get over(): Promise<void> {
    return this.#connections.over;
  }

  abort(): void {
    this.#connections.abort();
  }
}
