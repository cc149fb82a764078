/**
 * What the core asks of an adapter, and what an adapter tells the core. Push is the contract: one
 * table of callbacks for each listener, one `data` slot for each connection.
 *
 * Rules that hold for every adapter, and that `tests/conformance` checks:
 * - no callback runs inside one of the five verbs, nor before `open` has returned;
 * - `close` is the last callback of a connection, exactly once;
 * - bytes given to `write` belong to the adapter until they have gone out, and are not changed;
 *   they may be a view of the chunk being delivered, to this connection or to another;
 * - a chunk is lent until `data` returns; if that answers true, it is given away;
 * - a callback never throws: the core catches what plugins throw.
 */
import type { Address, InternetEndpoint, TlsClient, Transport, UnixEndpoint } from "./endpoint.ts";
import type { Descriptors, Inherited, Passing } from "./descriptors.ts";
import type { PorticoError } from "./errors.ts";
import type { Features } from "./features.ts";
import type { HttpConnections, HttpListener, HttpTable } from "./exchange.ts";
import type { OptionName, SocketOptions } from "./options.ts";
import type { ProcessCalls, ThreadStart } from "./process.ts";
import type { TlsContext, TlsEngine, TlsInfo } from "./tls.ts";

export { missing } from "./features.ts";
export type { Features, Lack, Lends, Missing, Support, Unreads } from "./features.ts";
export type { OptionName, SocketOptions } from "./options.ts";

/** What can be listened on or connected to by name. */
export type NamedEndpoint = InternetEndpoint | UnixEndpoint;

/** A listener's endpoint as an adapter takes it. */
export type BindableEndpoint = NamedEndpoint | Inherited;

/** One side of a stream, the adapter's. Made at accept, dead after {@link StreamTable.close}. */
export interface Connection {
  /** The core's own slot; what `adopt` or `connect` was given to begin with. The adapter does not look at it. */
  data: unknown;
  /** Made when first asked for, which has to be before the close; then it stays readable. */
  readonly remote: Address;
  /** Likewise; where it was not asked for in time, that of the listener. */
  readonly local: Address;
  /** Bytes taken by {@link write} that the kernel has not taken yet. */
  readonly pending: number;
  /** The same, exact within one large write, where that is not. Asked now and then. */
  readonly unsent?: number;
  /**
   * Takes every byte, in order; a partial write is the adapter's affair. `false` when {@link pending}
   * is above the adapter's high-water mark: `drain` follows once it is 0. After `end`, `abort` or
   * `close` it takes nothing and returns true.
   */
  write(bytes: Uint8Array): boolean;
  /** No `data` and no `end` after this returns, until {@link resume}; the peer is slowed down by the kernel. */
  pause(): void;
  resume(): void;
  /** Sends what is pending, then the end of the stream. The other direction stays open (half-close). */
  end(): void;
  /**
   * Drops what is pending and closes both ways at once. The peer sees a reset where
   * {@link Features.resets} says so, an end when `quiet` (unless it had sent what nobody read).
   */
  abort(quiet?: boolean): void;
  /**
   * Puts back what was read, of one that is paused: whoever reads next is told of it first, and a handshake begins with
   * it. The bytes are the adapter's from then on. Absent where {@link Features.unreads} is.
   */
  unread?(bytes: Uint8Array): void;
  /**
   * Begins TLS. What was written before goes out in clear first, and counts in `pending` of the one that is returned
   * until it has; the caller sees to it that nothing of the other direction was read that belongs to the handshake. This
   * one is dead from now on, without a `close`; the one that is returned has its place: its `data`, its addresses, the
   * same table. {@link StreamTable.secured} is told when the
   * handshake is done, and `close` with an error (TLS_FAILED, or what has become of the socket) when it fails; until
   * then only `abort` may be called of it. It has no half-close where the peer's TLS has none.
   *
   * @throws PorticoError NOT_SUPPORTED.
   */
  secure?(context: TlsContext): Connection;
  /** Of a connection whose handshake is done. Made when first asked for, which has to be before the close. */
  readonly tls?: TlsInfo | undefined;
}

/** The core's callbacks for the connections of one listener. */
export interface StreamTable {
  /**
   * What is kept of descriptors when they run out is for the connections of this listener: it goes on accepting while
   * others pause. For the few by which a server is controlled.
   */
  readonly reserved?: boolean;
  /**
   * Some of the connections become ones of TLS or HTTP once something was read: where a runtime has several kinds they
   * are of the one that does so at the least cost.
   */
  readonly upgrades?: boolean;
  /** A peer has connected. `pause` may be called here: then nothing is read. */
  open(connection: Connection): void;
  /** @returns true to keep `chunk`: the adapter does not touch it any more. */
  data(connection: Connection, chunk: Uint8Array): boolean | void;
  /** {@link Connection.pending} has come down to 0 after a `write` returned false. */
  drain(connection: Connection): void;
  /** The peer will send no more (FIN). Writing goes on. */
  end(connection: Connection): void;
  /** Nothing is left of the connection. `error` when it did not end in order; its side is `peer` or `host`. */
  close(connection: Connection, error: PorticoError | undefined): void;
  /** The handshake is done that {@link Connection.secure} has begun. `pause` may be called here, as in `open`. */
  secured?(connection: Connection): void;
  /** Accepting had to pause (EMFILE and its like). The adapter goes on by itself, with back-off. */
  failure(error: PorticoError): void;
}

/** A socket that accepts connections. */
export interface Listener {
  /** What is really bound: port 0 is resolved. */
  readonly address: Address;
  /**
   * Another descriptor for the same socket, which shares its queue: for a successor. The caller's to close.
   *
   * @throws PorticoError NOT_SUPPORTED where {@link Features.descriptors} says why.
   */
  duplicate(): Promise<number>;
  /**
   * Stops accepting, resolves when the port or path is free. Connections live on. A socket file is
   * removed if it is still the one that was made here, unless `keep`: then somebody else listens on
   * the socket, and whoever waits in its queue is not lost. May be called twice.
   */
  close(keep?: boolean): Promise<void>;
}

/** The core's callbacks for one datagram socket. */
export interface DatagramTable {
  /**
   * One datagram. `bytes` is lent, until the callback returns; `from` is the reader's to keep and
   * may be the same object for the same peer. Adapters that receive in batches call it once for
   * each datagram, and send what was answered once for each batch.
   *
   * @param to the address of ours that it was sent to, where {@link Features.packetInfo}; else, and
   * of a multicast datagram over IPv6, the socket's own.
   */
  datagram(socket: DatagramSocket, bytes: Uint8Array, from: Address, to: Address): void;
  /** Something failed that concerns no receiver of ours: an ICMP answer, a full queue. The socket goes on. */
  failure(socket: DatagramSocket, error: PorticoError): void;
}

/** What the kernel has dropped because a socket's queue was full. */
export interface Losses {
  /** Which socket; the same for whoever goes on with it. */
  readonly socket: string;
  /** Datagrams since it was made, up to 2³² − 1; then it begins anew. */
  readonly count: number;
}

/** A bound datagram socket. */
export interface DatagramSocket {
  /** The core's own slot. */
  data: unknown;
  /** What is really bound: port 0 is resolved. */
  readonly address: Address;
  /**
   * Sends one datagram, gathered with the others of this batch or turn. `bytes` may be reused when
   * it returns. False when it can never go out, with a {@link DatagramTable.failure} of the reason
   * to follow: too large (EMSGSIZE), a peer without an address (PEER_UNNAMED).
   *
   * @param from the address of ours that it leaves from, as `datagram` has told it; without it, or
   * where there is no {@link Features.packetInfo}, the kernel chooses.
   */
  send(bytes: Uint8Array, to: Address, from?: Address): boolean;
  /** Absent, or undefined, where nobody can say: without FFI, and when it is closed. */
  losses?(): Losses | undefined;
  /** As {@link Listener.duplicate}. */
  duplicate(): Promise<number>;
  /** No `datagram` after it has resolved; what is in the socket's queue stays for another reader. Sending goes on. */
  stopReceiving(): Promise<void>;
  /**
   * Sends what is gathered, releases the address, removes the socket file if it is still ours and not
   * to `keep`. May be called twice.
   */
  close(keep?: boolean): Promise<void>;
}

/** A datagram socket with one peer in mind. */
export interface DialedSocket extends DatagramSocket {
  /** Where {@link Adapter.dial} was to go, as an address. */
  readonly target: Address;
  /**
   * Sends one datagram to {@link target} at once, behind what was sent before. False when the kernel
   * has no room for it now: nothing has gone out then, and nobody tells when there is room again.
   * Where the kernel cannot be asked (there is no FFI), what it refuses comes as a failure.
   *
   * @throws PorticoError when it was refused: EMSGSIZE, ECONNREFUSED, ENOENT …
   */
  offer(bytes: Uint8Array): boolean;
  /**
   * Takes what the kernel has heard of what was sent, and has told nobody yet: ECONNREFUSED, most often.
   * Absent where the kernel cannot be asked: then it comes as a failure, in a turn of its own.
   */
  takeError?(): PorticoError | undefined;
  /**
   * As {@link offer}, for what is larger than a datagram may be, to a server that takes it so, as
   * journald does: an empty Unix datagram, with the descriptor of a sealed memfd_create(2) that holds
   * the bytes. Absent for UDP, and where there is no FFI.
   */
  offerSealed?(bytes: Uint8Array): boolean;
}

/** What gives the core its sockets on one runtime. */
export interface Adapter {
  /** `node`, `deno`, `bun` or `memory`: for people. Nothing may be decided by it. */
  readonly name: string;
  readonly features: Features;
  /** What `performance.now()` says, by a quicker way; absent where there is none. */
  readonly now?: (() => number) | undefined;
  /** Opens a stream listener. @throws PorticoError of side `config` when it cannot. */
  listen(endpoint: BindableEndpoint, table: StreamTable, options: SocketOptions): Promise<Listener>;
  /** Opens a datagram socket. @throws PorticoError of side `config` when it cannot. */
  bind(
    endpoint: BindableEndpoint,
    table: DatagramTable,
    options: SocketOptions,
  ): Promise<DatagramSocket>;
  /**
   * Opens a listener for `http` and `http+unix`, and with `tls` for `https`. Its socket is a stream
   * listener's in every other way.
   *
   * @throws PorticoError of side `config` when it cannot.
   */
  serve(
    endpoint: BindableEndpoint,
    table: HttpTable,
    options: SocketOptions,
    tls?: TlsContext,
  ): Promise<HttpListener>;
  /**
   * HTTP of connections that come by descriptor, from a listener at `local`.
   *
   * @throws PorticoError NOT_SUPPORTED where {@link Features.descriptors} says why.
   */
  requests(local: Address, table: HttpTable, tls?: TlsContext): Promise<HttpConnections>;
  /**
   * Connects a stream. `open` is called before it resolves, with `data` in {@link Connection.data}.
   * To a `tls` endpoint it is a connection whose handshake is done.
   *
   * @param tls for a `tls` endpoint.
   * @throws PorticoError ECONNREFUSED, ENOENT, ETIMEDOUT (after `timeout` ms), ENOTFOUND, TLS_FAILED …
   */
  connect(
    endpoint: NamedEndpoint,
    table: StreamTable,
    data: unknown,
    timeout?: number,
    tls?: TlsClient,
  ): Promise<void>;
  /**
   * A datagram socket of our own that sends to `endpoint` and receives its answers; others are not
   * heard where the kernel can tell them apart (UDP). ECONNREFUSED comes as a failure.
   *
   * @throws PorticoError ENOENT, ENOTFOUND …
   */
  dial(endpoint: NamedEndpoint, table: DatagramTable): Promise<DialedSocket>;
  /** What makes contexts for {@link Connection.secure}. @throws PorticoError NOT_SUPPORTED. */
  tls?(): Promise<TlsEngine>;
  /** @throws PorticoError NOT_SUPPORTED where {@link Features.descriptors} says why. */
  descriptors(): Promise<Descriptors>;
  /** A part of {@link descriptors} that is there sooner. @throws likewise. */
  passing(): Promise<Passing>;
  /** @throws PorticoError NOT_SUPPORTED where {@link Features.processCalls} says why. */
  processCalls(): Promise<ProcessCalls>;
  /** The command that runs a module on this runtime again, with the same flags and permissions. */
  command(module: string, args: readonly string[]): readonly [program: string, ...args: string[]];
  /** What begins a thread that runs it. */
  thread(module: string): ThreadStart;
  /**
   * What the socket options are at when nobody sets them, as text in the manifest's units.
   *
   * @throws PorticoError NOT_SUPPORTED where there is no way to ask.
   */
  defaults(): Promise<
    Readonly<Partial<Record<OptionName, Readonly<Partial<Record<Transport, string>>>>>>
  >;
  /**
   * Where the writes of a turn that is no callback are sent: when the microtasks have come to rest,
   * or with the round of the event loop ({@link defer}), which gathers more. What costs less here.
   */
  readonly turns: "microtasks" | "round";
  /** Whether an IP address is one of this machine's, as far as that is known. */
  ownsAddress(host: string): boolean;
  /** Runs `callback` once, after every other callback of this round of the event loop. */
  defer(callback: () => void): void;
  /**
   * Runs `callback` once, when the kernel has been asked about all sockets, so that others come; where
   * silent that is what {@link defer} does.
   */
  readonly giveWay?: ((callback: () => void) => void) | undefined;
  /**
   * From now on `report` is told what nobody has caught, from a timer or a promise that nobody awaits,
   * and it ends nothing; whatever the value is.
   *
   * @returns ends that.
   */
  onUncaught(report: (thrown: unknown) => void): () => void;
}
