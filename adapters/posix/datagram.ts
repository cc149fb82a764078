/**
 * A datagram socket over a descriptor, in batches through FFI: recvmmsg(2) into shared buffers, a
 * callback for each datagram, sendmmsg(2) for what they answered. It is the same on every runtime;
 * what tells it that the descriptor is readable is the adapter's.
 */
import type { DatagramSocket, DatagramTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { Backlog } from "./backlog.ts";
import { dropped, fitsUdp, truncated, UDP_MAX, wrongAddress } from "../datagram.ts";
import { receiveFailure, sendFailure } from "../errno.ts";
import { BATCH, FLAGS, HEADER_WORDS, Inbox, LARGEST, LENGTH } from "./inbox.ts";
import type { Libc } from "./libc.ts";
import { AF_INET6, AF_UNIX, EAGAIN, EINTR, MSG_DONTWAIT, MSG_TRUNC } from "./linux.ts";
import { Outbox, type Sender } from "./outbox.ts";
import { encode, Interner, NAME_WORDS, Peer, UNNAMED } from "./peer.ts";
import { duplicate } from "./socket.ts";

/** Datagrams delivered in one turn of the event loop; timers and other sockets have theirs after it. */
const TURN = 256;
/** Looks for more that may find nothing before some are left out, and the datagrams left out at most. */
const PATIENCE = 4;
const SKIP = 16;

/** The buffers and the addresses of one thread. */
export interface Exchange {
  readonly libc: Libc;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly peers: Interner;
}

let shared: Exchange | undefined;

/** Makes the buffers at first need; afterwards gives the same ones. */
export function exchangeOf(libc: Libc): Exchange {
  shared ??= {
    libc,
    inbox: new Inbox(libc),
    outbox: new Outbox(libc),
    peers: new Interner(),
  };
  return shared;
}

/** What a socket is made of. */
export interface Parts {
  readonly fd: number;
  readonly family: number;
  readonly address: Address;
  /** The largest datagram that the socket sends: of UDP, or the send buffer of a Unix socket. */
  readonly limit: number;
  /** Ends the waiting for datagrams; {@link BatchSocket.drain} is not called any more when it has resolved. */
  halt(): void | Promise<void>;
  /** Gives the descriptor and the address back, when everything has been sent; not the file, to `keep` it. */
  release(keep: boolean): void | Promise<void>;
}

/** See {@link DatagramSocket}. */
export class BatchSocket implements DatagramSocket, Sender {
  data: unknown = undefined;
  readonly address: Address;
  #fd: number;
  readonly #table: DatagramTable;
  readonly #exchange: Exchange;
  readonly #parts: Parts;
  readonly #family: number;
  readonly #limit: number;
  readonly #backlog: Backlog<Peer>;
  /** The kernel's form of addresses that others made. */
  readonly #encoded = new WeakMap<Address, Peer>();
  #problems: PorticoError[] = [];
  /** Looks in a row that found nothing, and how many datagrams are left until the next. */
  #misses = 0;
  #skip = 0;
  #halted: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(exchange: Exchange, table: DatagramTable, parts: Parts) {
    this.#exchange = exchange;
    this.#table = table;
    this.#parts = parts;
    this.#fd = parts.fd;
    this.address = parts.address;
    this.#family = parts.family;
    this.#limit = parts.limit;
    const unix = parts.family === AF_UNIX;
    this.#backlog = new Backlog(unix, this.#sendOne, (count, to) => {
      this.#fail(dropped(count, to, unix));
    });
  }

  get fd(): number {
    return this.#fd;
  }

  /** Whether neither {@link stopReceiving} nor {@link close} has been called. */
  get receiving(): boolean {
    return this.#closed === undefined && this.#halted === undefined;
  }

  /** Goes on with another descriptor of the same socket. */
  move(fd: number): void {
    this.#exchange.outbox.flush();
    this.#fd = fd;
  }

  send(bytes: Uint8Array, to: Address): boolean {
    if (this.#closed !== undefined) return true;
    const peer = to instanceof Peer && to.family === this.#family ? to : this.#resolve(to);
    if (peer === undefined || peer === UNNAMED) return this.#refuse(to);
    if (bytes.length > this.#limit && !this.#fits(bytes.length, peer)) {
      this.#fail(sendFailure("EMSGSIZE", peer));
      return false;
    }
    if (this.#backlog.holds(peer)) this.#backlog.push(bytes, peer);
    else this.#exchange.outbox.put(this, bytes, peer);
    return true;
  }

  /** See {@link DialedSocket.offer}. */
  offerTo(bytes: Uint8Array, to: Peer): boolean {
    if (this.#closed !== undefined) return true;
    if (bytes.length > this.#limit && !this.#fits(bytes.length, to)) {
      throw sendFailure("EMSGSIZE", to);
    }
    if (this.#backlog.holds(to)) return false;
    const sent = this.#exchange.outbox.sendNow(this, bytes, to);
    if (sent === -EAGAIN || sent === -EINTR) return false;
    if (sent < 0) throw sendFailure(-sent, to);
    return true;
  }

  /** IPv6 carries a little more than IPv4, also from a socket that speaks both. */
  #fits(size: number, peer: Peer): boolean {
    return this.#family === AF_INET6 && fitsUdp(size, peer.host);
  }

  #resolve(to: Address): Peer | undefined {
    let peer = this.#encoded.get(to);
    if (peer === undefined) {
      peer = encode(to, this.#family);
      if (peer !== undefined) this.#encoded.set(to, peer);
    }
    return peer;
  }

  #refuse(to: Address): false {
    const unix = this.#family === AF_UNIX;
    if (unix && to.host === "" && to.path === "") this.#fail(new PorticoError("PEER_UNNAMED"));
    else {
      const kind = unix ? "a Unix datagram" : this.#family === AF_INET6 ? "a UDP" : "an IPv4";
      this.#fail(wrongAddress(to, kind));
    }
    return false;
  }

  /**
   * Receives what is there and delivers it, up to {@link TURN} datagrams.
   *
   * @param first a datagram that came before them, which the adapter has received by itself.
   * @returns whether there may be more.
   */
  drain(first?: Uint8Array, from?: Address): boolean {
    // What the adapter has received is delivered, even when no more is wanted.
    if (this.#closed !== undefined || (!this.receiving && from === undefined)) return false;
    const { inbox, outbox } = this.#exchange;
    let more = false;
    outbox.begin();
    if (from !== undefined) {
      this.#table.datagram(this, first!, from);
      if (this.#skip > 0 || !this.receiving) {
        if (this.#skip > 0) this.#skip--;
        outbox.end();
        return false;
      }
    }
    for (let total = 0; total < TURN && this.receiving; total += BATCH) {
      const count = inbox.receive(this.#fd, MSG_DONTWAIT);
      more = count === BATCH || count === -EINTR;
      if (total === 0 && from !== undefined) this.#judge(count > 0);
      if (count > 0) {
        this.#deliver(count);
        inbox.reset(count);
        outbox.flush();
      } else if (count < 0 && count !== -EAGAIN && count !== -EINTR) {
        // An ICMP answer, most often. It is taken from the socket by being told.
        this.#table.failure(this, receiveFailure(-count));
        more = true;
      }
      if (!more) break;
    }
    outbox.end();
    return more && this.receiving;
  }

  /** Where the first datagram comes by itself, looking for more is worth it only when there are some. */
  #judge(found: boolean): void {
    this.#misses = found ? 0 : this.#misses + 1;
    this.#skip = this.#misses < PATIENCE ? 0 : Math.min(this.#misses, SKIP);
  }

  #deliver(count: number): void {
    const { inbox, peers } = this.#exchange;
    const { headers, names, nameBytes } = inbox.headers;
    for (let i = 0; i < count; i++) {
      const header = i * HEADER_WORDS;
      const size = headers[header + LENGTH]!;
      const from = peers.find(names, nameBytes, i * NAME_WORDS, headers[header + 2]!);
      if ((headers[header + FLAGS]! & MSG_TRUNC) !== 0) {
        this.#fail(truncated(from, LARGEST));
        continue;
      }
      this.#table.datagram(this, inbox.view(i, size), from);
      inbox.check(i, size);
      if (this.#closed !== undefined) return;
    }
  }

  holds(to: Peer): boolean {
    return this.#backlog.holds(to);
  }

  full(bytes: Uint8Array, to: Peer): void {
    this.#backlog.push(bytes, to);
  }

  failed(errno: number, to: Peer): void {
    this.#fail(sendFailure(errno, to));
  }

  #fail(error: PorticoError): void {
    if (this.#closed !== undefined) return;
    this.#problems.push(error);
    this.#exchange.outbox.reportSoon(this);
  }

  report(): void {
    const problems = this.#problems;
    this.#problems = [];
    for (const each of problems) {
      if (this.#closed === undefined) this.#table.failure(this, each);
    }
  }

  readonly #sendOne = (bytes: Uint8Array, to: Peer): boolean => {
    const sent = this.#exchange.outbox.sendNow(this, bytes, to);
    if (sent === -EAGAIN || sent === -EINTR) return false;
    if (sent < 0) this.failed(-sent, to);
    return true;
  };

  duplicate(): Promise<number> {
    return Promise.try(() => {
      if (this.#closed === undefined) return duplicate(this.#exchange.libc, this.#fd);
      throw new PorticoError("NOT_SUPPORTED", `${this.address} is closed`);
    });
  }

  stopReceiving(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    if (this.#halted !== undefined) return this.#halted;
    // Set before anything else is done: what that calls may ask whether it still receives.
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#halted = promise;
    Promise.try(() => this.#parts.halt()).then(resolve, (error) => {
      // It goes on as before.
      this.#halted = undefined;
      reject(error);
    });
    return promise;
  }

  close(keep = false): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    this.#exchange.outbox.flush();
    this.#backlog.close();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#closed = promise;
    const release = (): void | Promise<void> => this.#parts.release(keep);
    const released = this.#halted === undefined
      ? Promise.try(release)
      : this.#halted.then(release, release);
    released.then(resolve, reject);
    return promise;
  }
}

/** The limit of {@link Parts} for a socket of this family, whose send buffer has this size. */
export function limitOf(family: number, sendBuffer: number): number {
  // unix(7) keeps 32 bytes of the send buffer for itself.
  return family === AF_UNIX ? sendBuffer - 32 : UDP_MAX;
}
