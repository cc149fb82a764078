/**
 * An adapter without sockets: exact, for tests. Peers are objects of this process; what they and the
 * server exchange moves in turns of the microtask queue, in the order in which it was written.
 */
import type {
  Adapter,
  BindableEndpoint,
  DatagramTable,
  Features,
  Lack,
  NamedEndpoint,
  OptionName,
  StreamTable,
  Support,
} from "../../runtime/core/contract.ts";
import type { TlsClient, Transport } from "../../runtime/core/endpoint.ts";
import type { HttpTable } from "../../runtime/core/exchange.ts";
import { Address, formatEndpoint } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { TlsEngine } from "../../runtime/core/tls.ts";
import { TLS_FEATURES } from "../tls/features.ts";
import { type Binding, MemoryDatagrams } from "./datagram.ts";
import { MemoryHttpListener } from "./http.ts";
import { later, MemoryListener, MemoryPeer } from "./stream.ts";

export { MemoryDatagrams, MemoryHttpListener, MemoryListener, MemoryPeer };

type Bound = MemoryListener | MemoryDatagrams | MemoryHttpListener;

const LATER: Lack = { reason: "it is not part of the memory adapter" };
const NO_SOCKET: Lack = { reason: "there is no socket to set it on" };
const NO_PROCESS: Lack = { reason: "the process is that of the test" };
const NO_DESCRIPTOR: Lack = { reason: "there are no descriptors in memory" };

/** The adapter, with what a test needs to play the peers. */
export class MemoryAdapter implements Adapter {
  readonly name = "memory";
  readonly features: Features = {
    transports: {
      tcp: true,
      udp: true,
      unix: true,
      unixgram: true,
      tls: true,
      http: true,
      https: LATER,
      "http+unix": LATER,
    },
    abstract: true,
    descriptors: NO_DESCRIPTOR,
    processCalls: NO_PROCESS,
    packetInfo: true,
    tls: TLS_FEATURES,
    endsThreads: true,
    resets: true,
    lends: "unkept",
    options: new Proxy({}, {
      get: () => new Proxy({}, { get: (): Support => NO_SOCKET }),
    }) as Record<OptionName, Record<Transport, Support>>,
  };
  readonly #bound: Map<string, Bound> = new Map();
  /** Speaks TLS over its streams, as runtimes do over theirs. */
  speaksTls = false;
  #port = 49152;

  listen(endpoint: BindableEndpoint, table: StreamTable): Promise<MemoryListener> {
    return this.#bind(endpoint, (address, closed) => new MemoryListener(address, table, closed));
  }

  bind(endpoint: BindableEndpoint, table: DatagramTable): Promise<MemoryDatagrams> {
    return this.#bind(
      endpoint,
      (address, closed) => new MemoryDatagrams(this.#bindingOf(address, closed), table),
    );
  }

  serve(endpoint: BindableEndpoint, table: HttpTable): Promise<MemoryHttpListener> {
    return this.#bind(
      endpoint,
      (address, closed) => new MemoryHttpListener(address, table, closed),
    );
  }

  connect(
    endpoint: NamedEndpoint,
    table: StreamTable,
    data: unknown,
    timeout?: number,
    tls?: TlsClient,
  ): Promise<void> {
    const listener = this.#bound.get(formatEndpoint(endpoint));
    if (!(listener instanceof MemoryListener)) {
      const text = `cannot connect to ${
        formatEndpoint(endpoint)
      }: connection refused (ECONNREFUSED)`;
      return Promise.reject(new PorticoError("ECONNREFUSED", text));
    }
    const address = this.#addressOf(endpoint);
    if (endpoint.transport === "tls") {
      return connectTls(listener, address, table, data, timeout, tls);
    }
    listener.connect(address, table, data);
    return Promise.resolve();
  }

  dial(endpoint: NamedEndpoint, table: DatagramTable): Promise<MemoryDatagrams> {
    const target = addressOf(endpoint, 0);
    const address = this.#addressOf(endpoint);
    return this.#bind(
      address,
      (address, closed) => new MemoryDatagrams(this.#bindingOf(address, closed), table, target),
    );
  }

  /**
   * Handshakes without bytes, which a test's peer answers: {@link MemoryPeer.secure}; a context is its options, and
   * its side. With {@link speaksTls} what all runtimes have.
   */
  async tls(): Promise<TlsEngine> {
    if (this.speaksTls) return (await import("../tls/engine.ts")).engine;
    return {
      server: (options) => ({
        ...options,
        side: "server" as const,
        update(changed) {
          Object.assign(this, changed);
        },
      }),
      client: (options, name) => ({ serverName: name, ...options, side: "client" as const }),
    };
  }

  descriptors(): Promise<never> {
    return Promise.reject(new PorticoError("NOT_SUPPORTED", NO_DESCRIPTOR.reason));
  }

  requests(): Promise<never> {
    return this.descriptors();
  }

  passing(): Promise<never> {
    return this.descriptors();
  }

  processCalls(): Promise<never> {
    return Promise.reject(new PorticoError("NOT_SUPPORTED", NO_PROCESS.reason));
  }

  thread(): never {
    throw new PorticoError("NOT_SUPPORTED", "the memory adapter is no program");
  }

  command(): never {
    throw new PorticoError("NOT_SUPPORTED", "the memory adapter is no program");
  }

  ownsAddress(host: string): boolean {
    return host.startsWith("127.");
  }

  readonly turns = "microtasks";

  /** No socket, no options. */
  defaults(): Promise<Record<never, never>> {
    return Promise.resolve({});
  }

  defer(callback: () => void): void {
    later(callback);
  }

  /** What is thrown in a test is the test's. */
  onUncaught(): () => void {
    return () => {};
  }

  /** Connects a peer, which is for a test to play, to a bound address. */
  peer(to: Address | string, from?: Address): MemoryPeer {
    const listener = this.#bound.get(String(to));
    if (!(listener instanceof MemoryListener)) throw new PorticoError("ECONNREFUSED");
    return listener.peer(from ?? new Address("tcp", "127.0.0.1", this.#port++, ""));
  }

  /** The datagram socket at a bound address. */
  socket(at: Address | string): MemoryDatagrams {
    const socket = this.#bound.get(String(at));
    if (!(socket instanceof MemoryDatagrams)) throw new PorticoError("ECONNREFUSED");
    return socket;
  }

  /** The HTTP listener at a bound address. */
  server(at: Address | string): MemoryHttpListener {
    const listener = this.#bound.get(String(at));
    if (!(listener instanceof MemoryHttpListener)) throw new PorticoError("ECONNREFUSED");
    return listener;
  }

  /** Resolves when all that was set in motion has come to rest. */
  settle(): Promise<void> {
    return new Promise(later);
  }

  #bindingOf(address: Address, closed: () => void): Binding {
    const find = (at: Address): MemoryDatagrams | undefined => {
      const socket = this.#bound.get(String(at));
      return socket instanceof MemoryDatagrams ? socket : undefined;
    };
    return { address, closed, find };
  }

  /** An address of our own to reach an endpoint from. */
  #addressOf({ transport }: NamedEndpoint): Address {
    const port = this.#port++;
    if (transport === "unix") return new Address(transport, "", 0, "");
    return transport === "unixgram"
      ? new Address(transport, "", 0, `@${port}`)
      : new Address(transport, "127.0.0.1", port, "");
  }

  #bind<Made extends Bound>(
    endpoint: BindableEndpoint | Address,
    make: (address: Address, closed: () => void) => Made,
  ): Promise<Made> {
    if ("fd" in endpoint) {
      return Promise.reject(new PorticoError("NOT_SUPPORTED", NO_DESCRIPTOR.reason));
    }
    const address = endpoint instanceof Address ? endpoint : addressOf(endpoint, this.#port++);
    const text = String(address);
    if (this.#bound.has(text)) {
      const why = `cannot bind ${text}: the address is in use (EADDRINUSE)`;
      return Promise.reject(new PorticoError("EADDRINUSE", why));
    }
    const bound = make(address, () => {
      // Since it was closed another one may have been bound there.
      if (this.#bound.get(text) === bound) this.#bound.delete(text);
    });
    this.#bound.set(text, bound);
    return Promise.resolve(bound);
  }
}

/** @param port in the place of 0. */
function addressOf(endpoint: NamedEndpoint, port: number): Address {
  return "path" in endpoint
    ? new Address(endpoint.transport, "", 0, endpoint.path)
    : new Address(endpoint.transport, endpoint.host, endpoint.port || port, "");
}

/** See {@link Adapter.connect}: the handshake is a real one. */
async function connectTls(
  listener: MemoryListener,
  local: Address,
  table: StreamTable,
  data: unknown,
  timeout: number | undefined,
  options: TlsClient = {},
): Promise<void> {
  const [{ handshake }, { ClientContext }] = await Promise.all([
    import("../tls/connect.ts"),
    import("../tls/context.ts"),
  ]);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const context = new ClientContext(options, listener.address.host);
  listener.connect(local, handshake(table, resolve, reject, context), data);
  const timer = setTimeout(reject, timeout ?? 60_000, new PorticoError("ETIMEDOUT"));
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}
