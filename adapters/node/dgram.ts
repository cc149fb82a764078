/**
 * UDP through node:dgram: the fallback where there is no FFI, on Node and on Deno. Datagrams come
 * and go one by one.
 *
 * Deno's sends overtake each other when several are under way, the last one first: there each waits
 * for the one before it. On Node that would cost a turn of the event loop for each datagram.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIP } from "node:net";
import type {
  DatagramSocket,
  DatagramTable,
  DialedSocket,
  SocketOptions,
} from "../../runtime/core/contract.ts";
import { Address, type InternetEndpoint, normalizeHost } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { AddressBook } from "../posix/book.ts";
import { callOptions, dropped, fitsUdp, refusalOf, wrongAddress } from "../datagram.ts";
import { bindFailure, connectFailure, receiveFailure, sendFailure } from "../errno.ts";
import { noDescriptor } from "../posix/libc.ts";
import { resolveHost, resolveLocal } from "../posix/resolve.ts";

/** Bytes that may wait to be sent; libuv itself knows no bound. */
const QUEUE_LIMIT: number = 4 * 1024 * 1024;
/** The same, of datagrams that can wait with who offers them. */
const OFFER_LIMIT: number = 64 * 1024;

/**
 * Binds a UDP endpoint.
 *
 * @param serial sends wait for each other.
 * @throws PorticoError of side `config`.
 */
export async function bindDgram(
  endpoint: InternetEndpoint,
  table: DatagramTable,
  options: SocketOptions,
  serial = false,
): Promise<DatagramSocket> {
  const { host, family } = await resolveLocal(endpoint);
  const six = family === 6;
  const socket = createSocket({
    type: six ? "udp6" : "udp4",
    ...(options.reusePort !== undefined && { reusePort: options.reusePort }),
    ...(options.ipv6Only !== undefined && { ipv6Only: options.ipv6Only }),
    ...(options.receiveBuffer !== undefined && { recvBufferSize: options.receiveBuffer }),
    ...(options.sendBuffer !== undefined && { sendBufferSize: options.sendBuffer }),
    // Addresses are literal: the default look-up would cost a turn of the event loop for each datagram.
    lookup: (host, _options, done) => done(null, host, isIP(host)),
  });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.bind(
      { port: endpoint.port, address: host, exclusive: true },
      resolve,
    );
    await promise;
    socket.off("error", reject);
    callOptions(socket, options);
    const bound = socket.address();
    const address = new Address("udp", normalizeHost(bound.address), bound.port, "");
    return new DgramSocket(socket, address, six, serial, table);
  } catch (error) {
    socket.close();
    throw bindFailure(endpoint, error);
  }
}

/** Connects a UDP socket of its own: strangers are not heard. As {@link Adapter.dial}. */
export async function dialDgram(
  endpoint: InternetEndpoint,
  table: DatagramTable,
): Promise<DialedSocket> {
  const { host, family } = await resolveHost(endpoint, connectFailure);
  const target = new Address("udp", host, endpoint.port, "");
  const six = family === 6;
  const socket = createSocket({
    type: six ? "udp6" : "udp4",
    lookup: (host, _options, done) => done(null, host, isIP(host)),
  });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.connect(endpoint.port, host, resolve);
    await promise;
    socket.off("error", reject);
    const bound = socket.address();
    const address = new Address("udp", normalizeHost(bound.address), bound.port, "");
    // Deno's sends overtake each other; a socket that is dialed has time to wait for each.
    const made = new DgramSocket(socket, address, six, true, table, target);
    return Object.assign(made, {
      target,
      offer: (bytes: Uint8Array) => made.offerTo(bytes, target),
    });
  } catch (error) {
    socket.close();
    throw connectFailure(endpoint, error);
  }
}

class DgramSocket implements DatagramSocket {
  data: unknown = undefined;
  readonly address: Address;
  readonly #socket: Socket;
  readonly #table: DatagramTable;
  readonly #six: boolean;
  readonly #serial: boolean;
  /** The only one that it can send to, and hear. */
  readonly #peer: Address | undefined;
  readonly #book = new AddressBook((host, port) =>
    new Address("udp", normalizeHost(host), port, "")
  );
  /** Those that wait for the one before them. */
  #queue: { readonly bytes: Uint8Array; readonly to: Address }[] = [];
  #sending = false;
  /** Bytes that the kernel has not taken. */
  #waiting = 0;
  #receiving = true;
  #closed: Promise<void> | undefined;

  constructor(
    socket: Socket,
    address: Address,
    six: boolean,
    serial: boolean,
    table: DatagramTable,
    peer?: Address,
  ) {
    this.#socket = socket;
    this.address = address;
    this.#six = six;
    this.#serial = serial;
    this.#table = table;
    this.#peer = peer;
    socket.on("message", (bytes: Uint8Array, from: RemoteInfo) => {
      if (!this.#receiving) return;
      const sender = this.#book.find(from.address, from.port);
      // On Deno such a socket is connected by name only.
      if (peer === undefined || (sender.host === peer.host && sender.port === peer.port)) {
        table.datagram(this, bytes, sender);
      }
    });
    socket.on("error", (error) => table.failure(this, receiveFailure(error)));
  }

  send(bytes: Uint8Array, to: Address): boolean {
    if (this.#closed !== undefined) return true;
    const peer = this.#peer;
    const other = peer !== undefined && (to.host !== peer.host || to.port !== peer.port);
    const refusal = other ? wrongAddress(to, "this UDP") : refusalOf(bytes, to, this.#six);
    if (refusal !== undefined) return this.#refuse(refusal);
    if (this.#waiting + bytes.length > QUEUE_LIMIT) {
      this.#refuse(dropped(1, to, false));
      return true;
    }
    const copy = new Uint8Array(bytes);
    this.#waiting += copy.length;
    if (this.#serial && this.#sending) this.#queue.push({ bytes: copy, to });
    else this.#transmit(copy, to);
    return true;
  }

  /** See {@link DialedSocket.offer}: libuv tells later what the kernel said. */
  offerTo(bytes: Uint8Array, to: Address): boolean {
    if (!fitsUdp(bytes.length, to.host)) throw sendFailure("EMSGSIZE", to);
    if (this.#waiting > 0 && this.#waiting + bytes.length > OFFER_LIMIT) return false;
    return this.send(bytes, to);
  }

  #transmit(bytes: Uint8Array, to: Address): void {
    this.#sending = true;
    const host = this.#six && !to.host.includes(":") ? `::ffff:${to.host}` : to.host;
    const sent = (error: Error | null): void => {
      this.#sending = false;
      this.#waiting -= bytes.length;
      if (this.#closed !== undefined) return;
      const next = this.#queue.shift();
      if (next !== undefined) this.#transmit(next.bytes, next.to);
      if (error !== null) this.#table.failure(this, sendFailure(error, to));
    };
    if (this.#peer === undefined) this.#socket.send(bytes, to.port, host, sent);
    else this.#socket.send(bytes, sent);
  }

  #refuse(error: PorticoError): false {
    setImmediate(() => {
      if (this.#closed === undefined) this.#table.failure(this, error);
    });
    return false;
  }

  duplicate(): Promise<number> {
    return Promise.reject(noDescriptor());
  }

  /** Without descriptors nobody else can read what is in the queue, so it is dropped. */
  stopReceiving(): Promise<void> {
    this.#receiving = false;
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    this.#socket.removeAllListeners("message");
    // What was sent just now is on its way already, or waits for the kernel; then it is dropped.
    this.#socket.close(() => resolve());
    return promise;
  }
}
