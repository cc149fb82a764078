/**
 * UDP through node:dgram: the fallback where there is no FFI, on Node and on Deno.
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
import { Address, type InternetEndpoint } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { udpAddress } from "../addresses.ts";
import { fitsUdp, setMethodOptions, wrongAddress } from "../datagram.ts";
import { bindFailure, connectFailure, receiveFailure, sendFailure } from "../errno.ts";
import { AddressCache } from "../posix/address-cache.ts";
import { openResolved, type ResolvedHost, resolveHost } from "../posix/resolve.ts";
import { UnbatchedSocket } from "./unbatched.ts";

/**
 * Binds a UDP endpoint.
 *
 * @param inOrder sends wait for each other.
 * @throws PorticoError of side `config`.
 */
export function bindDgram(
  endpoint: InternetEndpoint,
  table: DatagramTable,
  options: SocketOptions,
  inOrder = false,
): Promise<DatagramSocket> {
  return openResolved(endpoint, (host) => bindTo(endpoint, host, table, options, inOrder));
}

async function bindTo(
  endpoint: InternetEndpoint,
  { host, family }: ResolvedHost,
  table: DatagramTable,
  options: SocketOptions,
  inOrder: boolean,
): Promise<DatagramSocket> {
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
    setMethodOptions(socket, options);
    const bound = socket.address();
    const address = udpAddress(bound.address, bound.port);
    return new DgramSocket(socket, address, six, inOrder, table);
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
    const address = udpAddress(bound.address, bound.port);
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

class DgramSocket extends UnbatchedSocket {
  readonly #socket: Socket;
  readonly #mapped: boolean;
  /** The only one that it can send to, and hear. */
  readonly #peer: Address | undefined;
  readonly #senders = new AddressCache(udpAddress);

  constructor(
    socket: Socket,
    address: Address,
    ipv6: boolean,
    inOrder: boolean,
    table: DatagramTable,
    peer?: Address,
  ) {
    super(address, ipv6, inOrder, table);
    this.#socket = socket;
    this.#mapped = ipv6;
    this.#peer = peer;
    socket.on("message", (bytes: Uint8Array, from: RemoteInfo) => {
      if (!this.receiving) return;
      const sender = this.#senders.find(from.address, from.port);
      // On Deno such a socket is connected by name only.
      if (peer === undefined || isSame(sender, peer)) {
        table.datagram(this, bytes, sender, this.address);
      }
    });
    socket.on("error", (error) => this.fail(receiveFailure(error)));
  }

  protected override refusal(bytes: Uint8Array, to: Address): PorticoError | undefined {
    const peer = this.#peer;
    if (peer !== undefined && !isSame(to, peer)) return wrongAddress(to, "this UDP");
    return super.refusal(bytes, to);
  }

  /** See {@link DialedSocket.offer}: what the kernel said is told later, so the next waits for it with its owner. */
  offerTo(bytes: Uint8Array, to: Address): boolean {
    if (!fitsUdp(bytes.length, to.host)) throw sendFailure("EMSGSIZE", to);
    if (this.waiting > 0) return false;
    return this.send(bytes, to);
  }

  protected transmit(bytes: Uint8Array, to: Address, sent: (error: unknown) => void): void {
    if (this.#peer !== undefined) return this.#socket.send(bytes, sent);
    const host = this.#mapped && !to.host.includes(":") ? `::ffff:${to.host}` : to.host;
    this.#socket.send(bytes, to.port, host, sent);
  }

  protected release(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

function isSame(one: Address, other: Address): boolean {
  return one.host === other.host && one.port === other.port;
}
