/**
 * What an adapter can do with sockets by their descriptors: take them over, give them away. It is the
 * second half of `contract.ts`, made at first need ({@link Adapter.descriptors}); a server of which
 * nothing is passed on never asks for it. Descriptors are close-on-exec and non-blocking.
 */
import type { Adapter, BindableEndpoint, DatagramSocket, DatagramTable } from "./contract.ts";
import type { Listener, SocketOptions, StreamTable } from "./contract.ts";
import type { Address, Credentials } from "./endpoint.ts";
import type { PorticoError } from "./errors.ts";
import type { Spawn } from "./process.ts";

/** A socket that is there already: inherited, handed over, or a duplicate of one of ours. */
export interface Inherited {
  readonly transport: "tcp" | "tls" | "unix" | "udp" | "unixgram" | "http" | "https" | "http+unix";
  /** Whoever is given it owns it, and closes it. */
  readonly fd: number;
  /** What it is bound to. */
  readonly address: Address;
  /** The socket file is removed with the last close. False for those that systemd made. */
  readonly owned: boolean;
}

/** A socket file, told from others that have come to its path. */
export interface SocketFileId {
  /** Absolute. */
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
  /** Whoever is given it has the socket open: as long as that is so, nobody else's file has its number. */
  readonly open: boolean;
}

/** What a descriptor turns out to be. */
export type Inspected =
  | { readonly kind: "listener" | "datagram"; readonly socket: Inherited }
  | { readonly kind: "connection"; readonly origin: Origin };

/** Where a connection comes from, and where it arrived. */
export interface Origin {
  readonly remote: Address;
  readonly local: Address;
}

/** What has gone through a connection, in bytes. */
export interface Traffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The callbacks of {@link Descriptors.admit}. */
export interface AdmitTable {
  /** A peer has connected. `fd` is unread, and the callee's to close. */
  arrive(fd: number, origin: Origin): void;
  /** Accepting had to pause (EMFILE and its like). It goes on by itself, with back-off. */
  failure(error: PorticoError): void;
}

export interface Descriptors {
  /**
   * Opens a stream listener, as {@link Adapter.listen} does, and gives away what it accepts by
   * descriptor. No runtime object is made for a connection.
   *
   * @throws PorticoError of side `config` when it cannot.
   */
  admit(
    endpoint: BindableEndpoint,
    table: AdmitTable,
    options: SocketOptions,
  ): Promise<Listener>;
  /**
   * Makes a connection of a connected stream socket, as fast as an accepted one. `open` is called
   * before it resolves, with `data` in {@link Connection.data}; `remote` and `local` are those of
   * `origin`. The descriptor is the adapter's from the call on.
   *
   * @throws PorticoError when the socket is none, or gone; the descriptor is closed then.
   */
  adopt(fd: number, origin: Origin, table: StreamTable, data: unknown): Promise<void>;
  /** A datagram socket that only sends, from a socket that somebody else reads. Owns the descriptor. */
  sender(fd: number, address: Address, table: DatagramTable): DatagramSocket;
  /** socketpair(2): two connected Unix stream sockets. */
  pair(): readonly [number, number];
  /**
   * Sends a duplicate of `fd` along a pair, SCM_RIGHTS of unix(7). Ours stays open.
   *
   * @param tag goes along with it, 0 to 2³² − 1: {@link take} has to name the same. 0 when silent.
   * @returns false when the queue is full; nothing was sent then.
   * @throws PorticoError EPIPE when nobody can receive it.
   */
  pass(along: number, fd: number, tag?: number): boolean;
  /**
   * The next descriptor that has come along a pair; -1 when there is none yet.
   *
   * @param wait blocks the thread until there is one: for the first moments of a process.
   * @throws PorticoError EPIPE when the other end is closed; EMFILE when there is no number left for it,
   * and it stays where it is; CONTROL_FAILED when it is not the one of this `tag`, or was lost.
   */
  take(from: number, wait?: boolean, tag?: number): number;
  /** Who has connected to a Unix stream; undefined where the kernel does not say. */
  credentials(fd: number): Credentials | undefined;
  /** What the kernel has counted of a TCP connection, whoever has read and written; undefined of others. */
  traffic(fd: number): Traffic | undefined;
  /** @throws PorticoError NOT_SUPPORTED for what is no socket, or one of another family or type. */
  inspect(fd: number): Inspected;
  /**
   * Calls `reset`, once, when a TCP connection that nobody reads is reset by its peer. Its end in order is
   * not told: what it has said before is still to be read.
   *
   * @returns ends it; to be called before the descriptor is closed or given away.
   */
  watchReset(fd: number, reset: () => void): () => void;
  /**
   * Looks at what a stream's peer has said and nobody has read, and leaves it there.
   *
   * @param bytes of an `ArrayBuffer` of their own; filled from their start.
   * @returns how many there are, up to the length of `bytes`, though it has been reset since; 0 at the peer's end, -1
   * when there is nothing yet.
   * @throws PorticoError ECONNRESET and its like, when there is nothing else.
   */
  peek(fd: number, bytes: Uint8Array): number;
  /** Takes bytes that {@link peek} has shown, and drops them. */
  skip(fd: number, length: number): void;
  /**
   * Calls `arrived` whenever something has come to a connection that nobody reads: bytes, or (`ended`) the peer's
   * end or a reset; soon after the call, too, if there is something already.
   *
   * @returns ends it; to be called before the descriptor is closed or given away. Undefined when descriptors have run out.
   */
  watchArrivals(fd: number, arrived: (ended: boolean) => void): (() => void) | undefined;
  /**
   * Writes to a stream socket at once, past any connection that was made of it: `bytes` have left
   * when it returns, or are the caller's still.
   *
   * @param bytes of an `ArrayBuffer` of their own.
   * @returns how many of them there was room for.
   * @throws PorticoError EPIPE when the other end is closed.
   */
  send(fd: number, bytes: Uint8Array): number;
  /** Makes /dev/null of a number, whatever it was; at no moment is it nobody's. */
  silence(fd: number): void;
  /**
   * Removes the file of a socket whose owner was killed, unless somebody listens on it, or it is another
   * one by now. Never rejects.
   */
  removeFile(file: SocketFileId): Promise<void>;
  /** Another descriptor for the same socket. @throws PorticoError EMFILE. */
  duplicate(fd: number): number;
  close(fd: number): void;
  /** Closes a connected stream socket, whatever is under way; over TCP the peer sees a reset. */
  reset(fd: number): void;
  /** Starts a program that is given a descriptor, and inherits no other one. */
  readonly spawn: Spawn;
  /** Clears O_NONBLOCK, for a program that is given the socket; every duplicate shares the flag. */
  blocking(fd: number): void;
}

/** What a worker needs of it to be given sessions; the rest is for where the sockets are. */
export type Passing = Pick<
  Descriptors,
  "adopt" | "pair" | "pass" | "take" | "send" | "silence" | "duplicate" | "close"
>;

/** What sessions need of an adapter, wherever they are served. */
export type SessionAdapter = Omit<Adapter, "command" | "thread" | "defaults" | "ownsAddress">;

/**
 * What a server here holds of file descriptors when nobody is there, with enough for some sessions
 * and to open files beside them: what comes to less is deaf after a rush.
 */
export interface DescriptorCost {
  readonly server: number;
  /** In the supervisor, for each worker. */
  readonly threads: number;
  readonly processes: number;
}
