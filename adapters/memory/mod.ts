/**
 * An adapter without sockets: exact, for tests. Peers are objects of this process; what they and the
 * server exchange moves in turns of the microtask queue, in the order in which it was written.
 */
import type {
  Adapter,
  BindableEndpoint,
  Features,
  Lack,
  OptionName,
  Support,
} from "../../runtime/core/contract.ts";
import type { Transport } from "../../runtime/core/endpoint.ts";
import { Address, formatEndpoint } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { MemoryDatagrams } from "./datagram.ts";
import { MemoryListener, MemoryPeer } from "./stream.ts";

export { MemoryDatagrams, MemoryListener, MemoryPeer };

const LATER: Lack = { reason: "it is not part of the memory adapter" };
const NO_SOCKET: Lack = { reason: "there is no socket to set it on" };

/** The adapter, with what a test needs to play the peers. */
export class MemoryAdapter implements Adapter {
  readonly name = "memory";
  readonly features: Features = {
    transports: {
      tcp: true,
      udp: true,
      unix: true,
      unixgram: true,
      tls: LATER,
      http: LATER,
      https: LATER,
      "http+unix": LATER,
    },
    abstract: true,
    resets: true,
    lends: false,
    options: new Proxy({}, {
      get: () => new Proxy({}, { get: (): Support => NO_SOCKET }),
    }) as Record<OptionName, Record<Transport, Support>>,
  };
  readonly #bound: Map<string, MemoryListener | MemoryDatagrams> = new Map();
  #port = 49152;

  listen(
    endpoint: BindableEndpoint,
    table: ConstructorParameters<typeof MemoryListener>[1],
  ): Promise<MemoryListener> {
    return this.#bind(endpoint, (address, closed) => new MemoryListener(address, table, closed));
  }

  bind(
    endpoint: BindableEndpoint,
    table: ConstructorParameters<typeof MemoryDatagrams>[1],
  ): Promise<MemoryDatagrams> {
    return this.#bind(endpoint, (address, closed) => new MemoryDatagrams(address, table, closed));
  }

  readonly turns = "microtasks";

  /** No socket, no options. */
  defaults(): Promise<Record<never, never>> {
    return Promise.resolve({});
  }

  defer(callback: () => void): void {
    setTimeout(callback, 0);
  }

  /** Connects to a bound address. */
  connect(to: Address | string, from?: Address): MemoryPeer {
    const listener = this.#bound.get(String(to));
    if (!(listener instanceof MemoryListener)) throw new PorticoError("ECONNREFUSED");
    return listener.connect(from ?? new Address("tcp", "127.0.0.1", this.#port++, ""));
  }

  /** The datagram socket at a bound address. */
  socket(at: Address | string): MemoryDatagrams {
    const socket = this.#bound.get(String(at));
    if (!(socket instanceof MemoryDatagrams)) throw new PorticoError("ECONNREFUSED");
    return socket;
  }

  /** Resolves when all that was set in motion has come to rest. */
  settle(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 0));
  }

  #bind<Bound extends MemoryListener | MemoryDatagrams>(
    endpoint: BindableEndpoint,
    make: (address: Address, closed: () => void) => Bound,
  ): Promise<Bound> {
    const { transport } = endpoint;
    const address = "path" in endpoint
      ? new Address(transport, "", 0, endpoint.path)
      : new Address(transport, endpoint.host, endpoint.port || this.#port++, "");
    const text = String(address);
    if (this.#bound.has(text)) {
      const text = `cannot bind ${formatEndpoint(endpoint)}: the address is in use (EADDRINUSE)`;
      return Promise.reject(new PorticoError("EADDRINUSE", text));
    }
    const bound = make(address, () => {
      // Since it was closed another one may have been bound there.
      if (this.#bound.get(text) === bound) this.#bound.delete(text);
    });
    this.#bound.set(text, bound);
    return Promise.resolve(bound);
  }
}
